"""A guest's root file system, ready to boot with one kernel."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct


class Image(Struct, frozen=True, kw_only=True):
    """The outcome of a recipe for a kernel."""

    recipe: str
    identity: str
    """Content identity of ``initramfs``: byte-for-byte reproducible."""
    initramfs: Path
    memory_mb: int
    """Least memory a guest needs with it."""
    provides: frozenset[str]
    """Programs by name (``sh``, ``stress-ng``, ``dropbear``) that a case or workload may need."""
