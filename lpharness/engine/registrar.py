"""Who takes livepatches in a guest: the kernel's livepatch core, or the module of another model.

Both tell of a patch in the same words, each in a folder of its own.
"""

from __future__ import annotations

from msgspec import Struct


class Registrar(Struct, frozen=True, kw_only=True):
    """Where a patch is seen and handled once it is loaded."""

    folder: str
    """Of its patches in sysfs."""
    watched: tuple[str, ...] = ()
    """What ``/lph/watch transitions`` is told to watch; empty for the kernel's own."""


LIVEPATCH = Registrar(folder="/sys/kernel/livepatch")
MODELS = Registrar(folder="/sys/kernel/lph_models", watched=("models",))
