"""Debian's ``linux-source-*``: the very source that a stock kernel was built from, unpacked once.

The package holds one ``.tar.xz`` of 1.3 GB with Debian's patches applied. It is written in blocks,
so that ``xz -T`` unpacks it on all processors; what only other architectures, documents and user
space need is left where it is.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from lpharness.archive import Archive, Package
from lpharness.base.architecture import NATIVE, architecture
from lpharness.base.errors import HostError, InputError
from lpharness.base.hashing import identity
from lpharness.base.process import run_to_end
from lpharness.base.progress import SILENT, Progress

KIND = "sources"
KIND_OF_PARTS = "source-parts"
_LEFT_OUT = ("Documentation", "LICENSES", "tools/testing", "tools/perf", "samples", "rust")
_LONGEST_S = 900


def series_of(version: str) -> str:
    """Return ``6.1`` for ``6.1.192-1``.

    Raises:
        InputError: it is no version of a kernel.
    """
    match = re.match(r"(\d+\.\d+)[.\-~+]", version)
    if not match:
        raise InputError(f"{version!r} is no version of a Debian kernel", hint="such as 6.1.192-1")
    return match[1]


def find_source(version: str, archive: Archive) -> Package:
    """Return the source package of exactly one version.

    Raises:
        InputError: the archive does not have it (any more).
        HostError: the archive cannot be asked.
    """
    name = f"linux-source-{series_of(version)}"
    found = archive.find(name)
    for package in found:
        if package.version == version:
            return package
    there = ", ".join(package.version for package in found) or "none"
    raise InputError(
        f"the archive has no {name} {version} (it leaves some weeks after it is superseded)",
        hint=f"it has {there}; --debs DIR takes a package you have, --mirror URL another archive",
    )


def unpack_source(
    version: str, archive: Archive, *, arch: str = NATIVE, progress: Progress = SILENT
) -> Path:
    """Return the source tree of a version: shared, so nothing may be written there.

    Args:
        version: of the package, for example ``6.1.192-1``.
        archive: where it is.
        arch: Debian's name of the architecture that is wanted; others' code is left out.
        progress: told of the download and the unpacking.

    Raises:
        InputError: the archive does not have it.
        HostError: it cannot be fetched or unpacked.
    """
    package = find_source(version, archive)
    target = architecture(arch)
    key = f"{package.name}-{package.sha256[:20]}{'' if target.native else f'-{arch}'}"
    left_out = _not_needed(target.folder)

    def build(folder: Path) -> None:
        _unpack(archive.download(package), folder, package, progress, left_out=left_out)

    return archive.cache.get(KIND, key, build)


def unpack_parts(
    version: str, archive: Archive, parts: Sequence[str], *, progress: Progress = SILENT
) -> Path:
    """Return some folders of a version's source, laid out as in the source; shared.

    Args:
        version: of the package, for example ``6.1.192-1``.
        archive: where it is.
        parts: what is wanted, of which all must be there: ``tools/testing/selftests/livepatch``.
        progress: told of the download and the unpacking.

    Raises:
        InputError: the archive does not have it.
        HostError: it cannot be fetched or unpacked, or lacks a part.
    """
    package = find_source(version, archive)
    key = f"{package.name}-{identity(package.sha256, *parts)}"

    def build(folder: Path) -> None:
        _unpack(archive.download(package), folder, package, progress, only=parts)

    return archive.cache.get(KIND_OF_PARTS, key, build)


def unpack_whole_source(
    version: str, archive: Archive, folder: Path, *, progress: Progress = SILENT
) -> None:
    """Unpack all of a version's source into a folder of the caller's, for a full build.

    Raises:
        InputError: the archive does not have it.
        HostError: it cannot be fetched or unpacked.
    """
    package = find_source(version, archive)
    _unpack(archive.download(package), folder, package, progress)


def _unpack(
    deb: Path,
    folder: Path,
    package: Package,
    progress: Progress,
    *,
    left_out: Sequence[str] = (),
    only: Sequence[str] = (),
) -> None:
    for tool, owner in (("xz", "xz-utils"), ("tar", "tar"), ("dpkg-deb", "dpkg")):
        if shutil.which(tool) is None:
            raise HostError(f"cannot unpack {package.name}: no {tool}", hint=f"install {owner}")
    with progress.step(f"unpack {package.name} {package.version}"):
        parts = folder / ".package"
        _run(["dpkg-deb", "-x", str(deb), str(parts)], package)
        tarball = parts / "usr/src" / f"{package.name}.tar.xz"
        if not tarball.is_file():
            raise HostError(f"{package.name} {package.version} has no {tarball.name}")
        _extract(tarball, folder, package, left_out, only)
        shutil.rmtree(parts)


def _extract(
    tarball: Path, folder: Path, package: Package, left_out: Sequence[str], only: Sequence[str]
) -> None:
    """Unpack a tarball's one folder into ``folder``, all processors at work."""
    excluded = [f"--exclude={package.name}/{name}" for name in left_out]
    wanted = [f"{package.name}/{name}" for name in only]
    _run(
        ["tar", "-x", "--use-compress-program=xz -T0", "-f", str(tarball), "-C", str(folder),
         "--strip-components=1", "--no-same-owner", *excluded, *wanted],
        package,
    )  # fmt: skip


def _not_needed(folder: str) -> list[str]:
    """Return what can stay in the package if only single files are compiled."""
    return [*_LEFT_OUT, *(f"arch/{name}" for name in _other_architectures(folder))]


def _other_architectures(folder: str) -> list[str]:
    names = (
        "alpha arc arm arm64 csky hexagon ia64 loongarch m68k microblaze mips nios2 openrisc "
        "parisc powerpc riscv s390 sh sparc um x86 xtensa"
    )
    return [name for name in names.split() if name != folder]


def _run(argv: list[str], package: Package) -> None:
    done = run_to_end(argv, what=f"unpack {package.name}", seconds=_LONGEST_S)
    if done.status != 0:
        said = (done.output.decode(errors="replace") + done.said).strip()
        if "No space left on device" in said:
            raise HostError(f"no space left for {package.name}", hint="free 2 GB")
        raise HostError(f"cannot unpack {package.name} {package.version}: {said[-300:]}")
