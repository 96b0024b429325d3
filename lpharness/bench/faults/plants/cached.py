"""What the cache holds is damaged between two runs."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Collection
from pathlib import Path

from lpharness.base.cache import cache_root
from lpharness.base.errors import HostError
from lpharness.bench.faults.scene import Plant, Planting, Scene

Damage = Callable[[Path], None]


def _damaged(kind: str, pattern: str, damage: Damage, made_of_it: tuple[str, ...] = ()) -> Plant:
    """Make a plant that damages the files of a kind of cache entry that a run has made.

    The cache is the user's, but for that kind, which is the fault's own: a first run fills it.
    Entries of the kinds in ``made_of_it`` are lost, so that they are made of the damaged ones.
    """

    def plant(scene: Scene) -> Planting:
        cache = _private(scene, {kind, *made_of_it})
        first = scene.folder / "first"
        words = [str(first) if word == str(scene.results) else word for word in scene.command]
        done = subprocess.run(
            words,
            env=scene.environment,
            cwd=scene.folder,
            capture_output=True,
            check=False,
            text=True,
        )
        files = sorted((cache / kind).glob(f"*/{pattern}"))
        if not files:  # how it was judged is another matter
            said = f"exit status {done.returncode}: {done.stdout[-500:]} {done.stderr[-500:]}"
            raise HostError(
                f"{scene.fault.name}: the run before the damage did not go well: {said}"
            )
        for file in files:
            damage(file)
        for lost in made_of_it:
            shutil.rmtree(cache / lost)
        yield

    return plant


def _private(scene: Scene, kinds: Collection[str]) -> Path:
    """Give the command a cache that shares all but some kinds of entries with the user's."""
    cache = scene.folder / "cache"
    cache.mkdir()
    for folder in cache_root().iterdir():
        if folder.name not in kinds:
            (cache / folder.name).symlink_to(folder)
    scene.environment["LPHARNESS_CACHE"] = str(cache)
    return cache


def _cut(file: Path) -> None:
    """Keep the first half."""
    half = file.stat().st_size // 2
    file.chmod(0o600)
    with file.open("r+b") as opened:
        opened.truncate(half)


def _flip(file: Path) -> None:
    """Turn a few bytes in the middle over."""
    file.chmod(0o600)
    with file.open("r+b") as opened:
        opened.seek(file.stat().st_size // 2)
        was = opened.read(64)
        opened.seek(-len(was), 1)
        opened.write(bytes(byte ^ 0xFF for byte in was))


def _lose(file: Path) -> None:
    file.unlink()


def empty(scene: Scene) -> Planting:
    """The disk of the cache has no room at all."""
    scene.environment["LPHARNESS_CACHE"] = "/dev/full/cache"
    yield


def gone(scene: Scene) -> Planting:
    """QEMU is not installed."""
    tools = scene.folder / "tools"
    tools.mkdir()
    for name in ("sh", "make", "gcc", "gcc-12", "ld", "as", "file", "cpio"):
        if found := shutil.which(name):
            (tools / name).symlink_to(found)
    scene.environment["PATH"] = str(tools)
    yield


_OF_DEBS = ("unpacked", "image-base", "images", "snapshots")

PLANTS = {
    "snapshot-cut": _damaged("snapshots", "state", _cut),
    "snapshot-flipped": _damaged("snapshots", "memory", _flip),
    "image-cut": _damaged("images", "*.cpio*", _cut),
    "image-flipped": _damaged("images", "*.cpio*", _flip),
    "module-cut": _damaged("modules", "*.ko", _cut),
    "module-flipped": _damaged("modules", "*.ko", _flip),
    "deb-flipped": _damaged("debs", "*.deb", _flip, _OF_DEBS),
    "symbols-lost": _damaged("symbols", "kallsyms", _lose),
    "symbols-cut": _damaged("symbols", "kallsyms", _cut),
    "cache-unwritable": empty,
    "qemu-missing": gone,
}
