"""Tasks, as far as a transition knows them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from lpharness.reference.rules import PatchState, Place, Version


@dataclass(eq=False, slots=True)
class Task:
    """One task."""

    name: str
    place: Place = Place.USER
    stack: list[Version] = field(default_factory=list)
    """The patchable code that it is in, innermost last."""
    state: PatchState = PatchState.IDLE
    pending: bool = False
    """`TIF_PATCH_PENDING`."""
    signalled: bool = True
    """Whether a fake signal makes it leave its sleep: an interruptible one, of a user task."""


class Tasks:
    """All tasks that anybody told of; the rest of the machine is never in the way."""

    def __init__(self) -> None:
        self._tasks: dict[str, Task] = {}

    def __iter__(self) -> Iterator[Task]:
        return iter(list(self._tasks.values()))

    def __contains__(self, name: str) -> bool:
        return name in self._tasks

    def __getitem__(self, name: str) -> Task:
        return self._tasks[name]

    def add(self, task: Task) -> Task:
        """Let one be there."""
        self._tasks[task.name] = task
        return task

    def fork(self, parent: Task, name: str) -> Task:
        """Let a child inherit state and flag (transition.c klp_copy_process)."""
        return self.add(Task(name, state=parent.state, pending=parent.pending))

    def remove(self, name: str) -> None:
        """Let one end."""
        del self._tasks[name]
