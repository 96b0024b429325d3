"""What a guest needs to run a kernel's own tests: scripts, modules and programs in one archive."""

from __future__ import annotations

import io
import shutil
import tarfile
from pathlib import Path

from msgspec import Struct

from lpharness.base.cache import Cache
from lpharness.base.hashing import identity, sha256_file
from lpharness.base.progress import SILENT, Progress
from lpharness.engine import kbuild
from lpharness.engine.compiler import find_compiler
from lpharness.images.kmodules import read_table
from lpharness.images.programs import compile_source
from lpharness.kernels import with_headers
from lpharness.kernels.model import Kernel
from lpharness.selftest.source import SelftestSource

_KIND = "selftests"
_RECIPE = 1
"""Raise it when a change here changes what is put together."""
_MODULES = "modules"
"""Where in the archive modules are that ``modprobe`` must find."""


class Bundle(Struct, frozen=True, kw_only=True):
    """Everything that a guest needs for a collection of tests."""

    archive: Path
    """A tar archive, to be unpacked in an empty folder of the guest."""
    guest_modules: tuple[str, ...]
    """The kernel's own modules that the image must hold."""
    modules: dict[str, str]
    """Of the modules that were built: name to SHA-256."""
    compiler: str
    """What they were built with."""


def build_bundle(
    source: SelftestSource,
    collection: str,
    kernel: Kernel,
    *,
    progress: Progress = SILENT,
    cache: Cache | None = None,
) -> Bundle:
    """Build what the tests of a collection load and call, once for the same content.

    Where the kernel was built with the tests' modules, those are used and none is built.

    Raises:
        BuildError: a module or a program does not compile.
        HostError: tools or space are missing.
    """
    cache = cache or Cache()
    sources = sorted(source.modules.glob("test_klp_*.c"))
    names = [path.stem for path in sources]
    if not source.modules_beside and all(name in read_table(kernel) for name in names):
        archive = _archive(source, collection, (), kernel, cache)
        return Bundle(archive=archive, guest_modules=tuple(names), modules={}, compiler="")
    modules, compiler = _modules(sources, kernel, progress, cache)
    return Bundle(
        archive=_archive(source, collection, modules, kernel, cache),
        guest_modules=(),
        modules={path.stem: sha256_file(path) for path in modules},
        compiler=compiler,
    )


def _modules(
    sources: list[Path], kernel: Kernel, progress: Progress, cache: Cache
) -> tuple[tuple[Path, ...], str]:
    compiler = find_compiler(kernel)
    contents = [f"{path.name} {sha256_file(path)}" for path in sources]
    key = identity(_RECIPE, kbuild.RECIPE, kernel.identity, compiler.version, *contents)

    def build(folder: Path) -> None:
        headers = with_headers(kernel, progress=progress, cache=cache).headers
        assert headers is not None
        work = folder / "work"
        work.mkdir()
        with progress.step(f"build {len(sources)} modules of the selftests for {kernel.release}"):
            built = kbuild.compile_modules(
                sources=sources, headers=headers, compiler=compiler, folder=work
            )
        for module in built:
            module.rename(folder / module.name)
        shutil.rmtree(work)

    entry = cache.get(_KIND, f"modules-{key}", build)
    return tuple(entry / f"{path.stem}.ko" for path in sources), compiler.version


def _archive(
    source: SelftestSource, collection: str, modules: tuple[Path, ...], kernel: Kernel, cache: Cache
) -> Path:
    """Return the archive: kselftest's runner, the tests, their programs and their modules."""
    tests = source.selftests / collection
    programs = [compile_source(path, strict=False) for path in sorted(tests.glob("*.c"))]
    where = f"{collection}/test_modules" if source.modules_beside else _MODULES
    files = {
        **{f"kselftest/{path.name}": path for path in (source.selftests / "kselftest").iterdir()},
        **{f"{collection}/{path.name}": path for path in tests.iterdir() if path.is_file()},
        **{f"{collection}/{path.name}": path for path in programs},
        **{f"{where}/{path.name}": path for path in modules},
    }
    contents = [f"{name} {sha256_file(path)}" for name, path in sorted(files.items())]

    def build(folder: Path) -> None:
        with tarfile.open(folder / "tests.tar", "w") as archive:
            for name, path in sorted(files.items()):
                _add(archive, name, path)

    return cache.get(_KIND, identity(_RECIPE, kernel.identity, *contents), build) / "tests.tar"


def _add(archive: tarfile.TarFile, name: str, path: Path) -> None:
    """Add a file with nothing of this host's owners and times."""
    content = path.read_bytes()
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    entry.mode = 0o755 if path.stat().st_mode & 0o111 else 0o644
    archive.addfile(entry, io.BytesIO(content))
