"""Callbacks in the kernel's order (kernel/livepatch/core.h)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from msgspec import Struct

from lpharness.reference.patch import Obj, Patch


class Callback(Enum):
    """When one is called."""

    PRE_PATCH = "pre_patch"
    POST_PATCH = "post_patch"
    PRE_UNPATCH = "pre_unpatch"
    POST_UNPATCH = "post_unpatch"


class Called(Struct, frozen=True):
    """One call."""

    patch: str
    object: str
    callback: str


class Callbacks:
    """Calls them, and keeps what was called until somebody takes it."""

    def __init__(self) -> None:
        self._called: list[Called] = []

    def take(self) -> tuple[Called, ...]:
        """Return what was called since the last time."""
        called, self._called = tuple(self._called), []
        return called

    def pre_patch(self, patch: Patch, obj: Obj, failing: Mapping[str, int]) -> int:
        """Call ``pre_patch``; return its errno. ``post_unpatch`` is due only if it succeeded."""
        number = 0
        if obj.callbacks:
            self._call(patch, obj, Callback.PRE_PATCH)
            number = failing.get(obj.name, 0)
        obj.post_unpatch_due = not number
        return number

    def post_patch(self, patch: Patch, obj: Obj) -> None:
        """Call ``post_patch``."""
        if obj.callbacks:
            self._call(patch, obj, Callback.POST_PATCH)

    def pre_unpatch(self, patch: Patch, obj: Obj) -> None:
        """Call ``pre_unpatch``."""
        if obj.callbacks:
            self._call(patch, obj, Callback.PRE_UNPATCH)

    def post_unpatch(self, patch: Patch, obj: Obj) -> None:
        """Call ``post_unpatch``, if its ``pre_patch`` had succeeded, and only once for it."""
        if obj.callbacks and obj.post_unpatch_due:
            self._call(patch, obj, Callback.POST_UNPATCH)
        obj.post_unpatch_due = False

    def _call(self, patch: Patch, obj: Obj, callback: Callback) -> None:
        self._called.append(Called(patch.name, obj.name, callback.value))
