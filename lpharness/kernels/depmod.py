"""modules.dep, which Debian's packages leave to the installation and a build tree to its own."""

from __future__ import annotations

from pathlib import Path

from lpharness.archive import Archive
from lpharness.archive.process import run_tool
from lpharness.base.process import find_tool

_LOADER = "lib64/ld-linux-x86-64.so.2"


def write_modules_dep(root: Path, release: str, archive: Archive | None) -> None:
    """Write ``modules.dep`` and its kin into ``root/lib/modules/release``.

    The host's depmod does it; a host without kmod borrows Debian's, run by its own loader.

    Raises:
        HostError: there is no depmod to be had, or it failed.
    """
    command = ["depmod"]
    if find_tool("depmod") is None and archive is not None:
        command = _borrowed(archive)
    run_tool(
        [*command, "-b", str(root), release], seconds=300, what=f"index the modules of {release}"
    )


def _borrowed(archive: Archive) -> list[str]:
    trees = [archive.unpack(package) for package in archive.closure(["kmod"])]
    folders = [
        str(folder)
        for tree in trees
        for folder in (tree / "lib/x86_64-linux-gnu", tree / "usr/lib/x86_64-linux-gnu")
        if folder.is_dir()
    ]
    loader = next(tree / _LOADER for tree in trees if (tree / _LOADER).exists())
    kmod = next(path for tree in trees for name in ("bin/kmod", "usr/bin/kmod")
                if (path := tree / name).exists())  # fmt: skip
    return [str(loader), "--argv0", "depmod", "--library-path", ":".join(folders), str(kmod)]
