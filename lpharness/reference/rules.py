"""The hybrid model's rule: when may a task leave the old code? Written once, for all who ask.

A task leaves when it runs none of the versions that the transition takes from it:

- on its way to user mode, where it runs no kernel code (transition.c klp_update_patch_state);
- asleep, if no frame of a reliable stack is in such a version (transition.c klp_check_stack);
- an idle task in its loop; on a CPU that is offline at once (klp_try_complete_transition);
- since 6.4 a kernel thread in ``cond_resched()``, by the same walk of its stack
  (transition.c __klp_sched_try_switch), so that a busy one no longer stalls a transition.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from enum import Enum, IntEnum

from msgspec import Struct

Version = tuple[str, str, str]
"""Object, function and who brought it: one piece of code that can be on a stack."""


class PatchState(IntEnum):
    """`task_struct.patch_state`, as ``/proc/PID/patch_state`` tells it."""

    IDLE = -1
    UNPATCHED = 0
    PATCHED = 1

    @property
    def opposite(self) -> PatchState:
        """The other end of a transition."""
        return PatchState(1 - self)


class Place(Enum):
    """Where a task is when it is asked."""

    USER = "in user mode, or on its way there"
    ASLEEP = "asleep in the kernel"
    RUNNING = "on a CPU in the kernel"
    RESCHEDULING = "in cond_resched()"


class Release(Struct, frozen=True, order=True):
    """A kernel release, as far as livepatch differs."""

    major: int
    minor: int

    @classmethod
    def parse(cls, text: str) -> Release:
        """Read ``6.1.0-56-cloud-amd64`` and the like."""
        major, minor, *_ = text.split(".")
        return cls(int(major), int(minor.partition("-")[0]))

    @property
    def switches_in_cond_resched(self) -> bool:
        """Whether a busy kernel thread switches by itself (since 6.4)."""
        return self >= Release(6, 4)

    @property
    def clears_relocations(self) -> bool:
        """Whether relocations are undone when a target goes, so that it can come again (6.3)."""
        return self >= Release(6, 3)

    @property
    def shows_replace(self) -> bool:
        """Whether sysfs has the attribute ``replace`` (since 6.11)."""
        return self >= Release(6, 11)


def may_leave(
    place: Place,
    stack: Iterable[Version],
    taken: Set[Version],
    *,
    release: Release,
    reliable: bool = True,
) -> bool:
    """Tell whether a task may switch to the transition's target state now.

    Args:
        place: where it is.
        stack: the code on its kernel stack.
        taken: the versions that the transition takes away: when patching, what each function ran
            before; when unpatching, the new ones.
        release: whose kernel.
        reliable: whether the stack could be walked for certain.
    """
    if place is Place.USER:
        return True
    if place is Place.RUNNING:
        return False
    if place is Place.RESCHEDULING and not release.switches_in_cond_resched:
        return False
    return reliable and taken.isdisjoint(stack)
