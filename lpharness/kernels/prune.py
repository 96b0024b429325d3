"""Freeing the cache of what has not been used for a while."""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from lpharness.base.cache import Cache, disk_usage
from lpharness.base.errors import InputError

_DAY = 86400.0
_PARTIAL = ".partial-*"


class Pruned(Struct, frozen=True, kw_only=True):
    """One thing that was removed from the cache, or would be."""

    kind: str
    name: str
    bytes: int
    """Freed on disk."""
    unused_days: float


def kinds(cache: Cache) -> list[str]:
    """Return the kinds of entries that the cache holds."""
    if not cache.root.is_dir():
        return []
    return sorted(path.name for path in cache.root.iterdir() if path.is_dir())


def prune(
    cache: Cache,
    *,
    keep: int | None = None,
    days: float | None = None,
    only: list[str] | None = None,
    dry_run: bool = False,
) -> list[Pruned]:
    """Remove entries of every kind, and what broken-off downloads and builds left.

    An entry stays if any of the limits given keeps it; with none given, everything goes.

    Args:
        cache: the cache.
        keep: of each kind, keep so many of the most recently used.
        days: keep what was used within so many days.
        only: the kinds to look at; all, unless given.
        dry_run: only say what would be removed.

    Returns:
        What was removed, largest first.

    Raises:
        InputError: there is no such kind.
    """
    there = kinds(cache)
    for kind in only or []:
        if kind not in there:
            raise InputError(f"the cache holds no {kind}", hint=f"it holds {', '.join(there)}")
    removed: list[Pruned] = []
    for kind in only or there:
        for entry in _unwanted(cache, kind, keep, days):
            removed += _remove(cache, kind, entry, dry_run=dry_run)
        removed += _remove_leftovers(cache, kind, days or 0, dry_run=dry_run)
    return sorted(removed, key=lambda item: item.bytes, reverse=True)


def _unwanted(cache: Cache, kind: str, keep: int | None, days: float | None) -> list[Path]:
    entries = cache.entries(kind)[keep or 0 :]
    return [entry for entry in entries if days is None or _unused_days(entry) > days]


def _remove(cache: Cache, kind: str, entry: Path, *, dry_run: bool) -> list[Pruned]:
    with suppress(FileNotFoundError):  # another prune was quicker
        unused = _unused_days(entry)
        size = disk_usage(entry) if dry_run else cache.remove(kind, entry.name)
        return [Pruned(kind=kind, name=entry.name, bytes=size, unused_days=unused)]
    return []


def _remove_leftovers(cache: Cache, kind: str, days: float, *, dry_run: bool) -> list[Pruned]:
    """Remove downloads that nobody resumed, and builds whose builder is dead."""
    removed = []
    partial = (cache.root / kind).glob(_PARTIAL)
    left = [path for path in partial if _unused_days(path) > max(days, 1 / 24)]
    left += cache.leftovers(kind)
    for path in left:
        with suppress(FileNotFoundError):
            unused = _unused_days(path)
            size = disk_usage(path) if path.is_dir() else path.stat().st_blocks * 512
            if not dry_run:
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()
            removed.append(Pruned(kind=kind, name=path.name, bytes=size, unused_days=unused))
    return removed


def _unused_days(path: Path) -> float:
    return max(0.0, time.time() - path.stat().st_mtime) / _DAY
