"""Busybox as the guest's ``/lph/busybox``, and as every program that no package has."""

from __future__ import annotations

import subprocess
from pathlib import Path

from lpharness.base.errors import HostError, InputError
from lpharness.images.tree import File, Symlink, Tree

WHERE = "lph/busybox"
PACKAGE = "busybox-static"
_PACKAGED = "usr/bin/busybox"


def place(tree: Tree, *, applets: bool, runs_here: Path | None = None) -> None:
    """Move the package's busybox to ``/lph``, linking its applets into ``/usr`` if wanted.

    Args:
        tree: of the packages.
        applets: whether its applets are wanted.
        runs_here: the same of this host's architecture, to be asked for the applets where the
            tree's own cannot run.

    Raises:
        InputError: the recipe's packages have no static busybox.
    """
    busybox = tree.entries.pop(_PACKAGED, None)
    if not isinstance(busybox, File) or not isinstance(busybox.content, Path):
        raise InputError(
            "the recipe has no static busybox",
            hint=f"add {PACKAGE} to its packages",
        )
    tree.add(WHERE, busybox)
    if applets:
        tree.add(_PACKAGED, Symlink(f"/{WHERE}"))
        for path in applet_paths(runs_here or busybox.content):
            if not _has(tree, path.rsplit("/", 1)[-1]):
                tree.add(path, Symlink(f"/{WHERE}"))


def applet_paths(busybox: Path) -> list[str]:
    """Return where busybox says that its applets belong (``usr/bin/awk``).

    Raises:
        HostError: it does not run here.
    """
    try:
        done = subprocess.run(
            [busybox, "--list-full"], capture_output=True, text=True, check=True, timeout=30
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise HostError(f"cannot ask {busybox} for its applets: {error}") from error
    return [path for path in done.stdout.split() if "/" in path]


def _has(tree: Tree, program: str) -> bool:
    return any(f"usr/{place}/{program}" in tree.entries for place in ("bin", "sbin"))
