"""The kernel's livepatch core in plain Python: a reference to hold a real kernel against.

It knows nothing of guests. ``docs/reference.md`` shows how to use it; each rule names the file and
the function of the kernel that it was read in.
"""

from lpharness.reference.callbacks import Callback, Called
from lpharness.reference.core import Kernel
from lpharness.reference.rules import PatchState, Place, Release, Version, may_leave
from lpharness.reference.spec import ORIGINAL, VMLINUX, ObjectSpec, PatchSpec
from lpharness.reference.tasks import Task

__all__ = [
    "ORIGINAL",
    "VMLINUX",
    "Callback",
    "Called",
    "Kernel",
    "ObjectSpec",
    "PatchSpec",
    "PatchState",
    "Place",
    "Release",
    "Task",
    "Version",
    "may_leave",
]
