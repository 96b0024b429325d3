"""Makes a kernel's source tree ready to compile single files of it, as for the kernel itself.

For a Debian kernel nothing is configured or generated here. What a build generates before it
compiles (``.config``, ``include/config``, ``include/generated``, ``arch/*/include/generated``) and
the tools it compiles with (objtool) were shipped by the very build that made the kernel, in
``linux-headers-*`` and ``linux-kbuild-*``: laid over the source, they stand for half a minute of
``make olddefconfig prepare``, and cannot differ from what the kernel saw.
"""

from __future__ import annotations

import os
import re
import shutil
from filecmp import cmp
from pathlib import Path

from lpharness.archive import Archive
from lpharness.base.architecture import require_everything
from lpharness.base.cache import Cache
from lpharness.base.errors import HostError, InputError
from lpharness.base.hashing import identity, sha256_file
from lpharness.base.progress import SILENT, Progress
from lpharness.kernels import with_headers
from lpharness.kernels.image_symbols import image_symbols
from lpharness.kernels.model import Kernel
from lpharness.sources.includes import load_includers
from lpharness.sources.package import unpack_source
from lpharness.sources.tree import SourceTree

_KIND = "generated"
_RECIPE = 2
"""Raise it when a change here changes what is in a prepared tree."""
_GENERATED = (
    ".config",
    "Module.symvers",
    "arch/x86/include/generated",
    "arch/x86/module.lds",
    "include/config",
    "include/generated",
    "scripts/basic",
    "scripts/genksyms",
    "tools/objtool",
)
_COMMON = re.compile(r"^include .*/(linux-headers-[^/\s]+)/Makefile$", re.MULTILINE)
_TREE_NEEDS = {
    "Makefile": "is it a kernel tree?",
    ".config": "is it the folder the kernel was built in?",
    "include/config/auto.conf": "make prepare",
    "include/generated/autoconf.h": "make prepare",
    "include/generated/asm-offsets.h": "make prepare",
    "include/generated/utsrelease.h": "make prepare",
}


def prepare_tree(
    kernel: Kernel,
    *,
    progress: Progress = SILENT,
    mirror: str | None = None,
    debs: Path | None = None,
    cache: Cache | None = None,
) -> SourceTree:
    """Return the source tree that a kernel was built from, fetched and unpacked if need be.

    Args:
        kernel: as `lpharness.kernels.resolve` returned it.
        progress: told of downloads and unpacking.
        mirror: one more archive, see `lpharness.archive.Archive`.
        debs: a folder of ``.deb`` files to look into first.
        cache: the user's, unless given.

    Raises:
        InputError: there is no source of exactly that kernel, or the user's tree is not built.
        HostError: it cannot be fetched or unpacked.
    """
    require_everything(kernel.arch, "a kernel's source, for patches made of a diff")
    if kernel.origin.spec.startswith("tree:"):
        return _own_tree(kernel)
    if kernel.origin.spec.startswith("built:"):
        return _indexed(_built_tree(kernel), progress, cache)
    if not kernel.origin.version:
        raise InputError(
            f"no source is known for {kernel.release}",
            hint="name the kernel as debian:RELEASE, or by the tree it was built in: tree:PATH",
        )
    archive = Archive(cache, mirror=mirror, debs=debs, progress=progress)
    source = unpack_source(kernel.origin.version, archive, progress=progress)
    headers = with_headers(kernel, progress=progress, mirror=mirror, debs=debs, cache=cache).headers
    assert headers is not None
    key = identity(_RECIPE, source.name, kernel.identity)

    def build(folder: Path) -> None:
        _require_same_headers(kernel, headers, source)
        _collect(headers, folder)

    generated = archive.cache.get(_KIND, key, build)
    return _indexed(SourceTree(kernel, (generated, source), key), progress, cache)


def _indexed(tree: SourceTree, progress: Progress, cache: Cache | None) -> SourceTree:
    """Return a tree that does not change, with what takes seconds done once."""
    with progress.step("read which file includes which"):
        load_includers(tree, cache=cache)
    with progress.step("read the kernel's symbols"):
        image_symbols(tree.kernel, cache=cache)  # unpacking the image takes seconds, once
    return tree


def _require_same_headers(kernel: Kernel, headers: Path, source: Path) -> None:
    """Refuse a source that the kernel was not built from.

    The headers package has the headers that its build saw. Those of the ``-rt`` flavours of 6.1
    are of another source, which no package holds: Debian's real-time patches are in its source
    package (``.dsc``) only.
    """
    found = _COMMON.search((headers / "Makefile").read_text())
    common = headers.parent / found[1] if found else headers
    for part in ("include", "arch/x86/include"):
        for path in sorted((common / part).rglob("*.h")):
            name = path.relative_to(common)
            if not (source / name).is_file() or not cmp(path, source / name, shallow=False):
                raise InputError(
                    f"linux-source {kernel.origin.version} is not what {kernel.release} was built "
                    f"from: {name} differs",
                    hint="its flavour is built with more patches than linux-source-* holds"
                    if "rt" in kernel.flavour.split("-")
                    else "are source and headers of one version?",
                )


def _collect(headers: Path, folder: Path) -> None:
    """Copy out of the headers what the kernel's own build generated."""
    for name in _GENERATED:
        source, target = headers / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        elif source.exists():
            shutil.copyfile(source, target)
    if not (folder / "include/config/auto.conf").is_file():
        raise HostError(f"{headers} holds no configuration that kbuild could use")
    # kbuild would configure anew if its configuration looked older than .config.
    (folder / "include/config/auto.conf.cmd").touch()
    for name in ("auto.conf", "auto.conf.cmd"):
        os.utime(folder / "include/config" / name)
    os.utime(folder / "include/generated/autoconf.h")


def _own_tree(kernel: Kernel) -> SourceTree:
    root = Path(kernel.origin.spec.partition(":")[2]).expanduser().absolute()
    for name, how in _TREE_NEEDS.items():
        if not (root / name).exists():
            raise InputError(f"{root} has no {name}", hint=how)
    makefile = (root / "Makefile").read_text(errors="replace")
    if re.match(r"# Automatically generated by", makefile):
        raise InputError(
            f"{root} was built from a source elsewhere (make O=…), which is not supported",
            hint="build in the source tree itself",
        )
    stated = re.search(
        r'UTS_RELEASE "([^"]*)"',
        (root / "include/generated/utsrelease.h").read_text(errors="replace"),
    )
    if stated is None or stated[1] != kernel.release:
        raise InputError(
            f"{root} is prepared for {stated[1] if stated else 'no release'}, "
            f"its image is {kernel.release}",
            hint="build the image again",
        )
    key = identity(
        _RECIPE, str(root), sha256_file(root / ".config"), sha256_file(root / "Makefile")
    )
    return SourceTree(kernel, (root,), key, own=True)


def _built_tree(kernel: Kernel) -> SourceTree:
    """Return the tree that a kernel of our own was built in: in the cache, so it stays as it is."""
    assert kernel.headers is not None
    return SourceTree(kernel, (kernel.headers,), identity(_RECIPE, kernel.headers.name))
