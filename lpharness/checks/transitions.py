"""The transitions that a trial must show, and what the timeline tells of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from lpharness.checks.contract import Recording
from lpharness.checks.story import lasting_modules
from lpharness.timeline.events import Event, TasksSampled, TransitionMarked

Direction = Literal["patching", "unpatching"]
_BEST_FIRST = ("tracing", "kmsg", "sysfs")  # how exactly a source stamps
At = tuple[int, Event]


@dataclass(slots=True)
class Transition:
    """One transition of one patch."""

    patch: str
    direction: Direction
    began: At | None = None
    completed: At | None = None
    reversals: list[At] = field(default_factory=list)
    forced: list[At] = field(default_factory=list)
    abandoned: At | None = None
    """When the model gave up, as some do after so many tries."""

    @property
    def target(self) -> Literal[0, 1]:
        """The ``patch_state`` that every task must come to."""
        return 1 if self.direction == "patching" else 0

    @property
    def name(self) -> str:
        """The transition in words."""
        return f"{self.direction} of {self.patch}"

    @property
    def seconds(self) -> float | None:
        """How long it took, by the guest's clock where both ends have it, else by the host's."""
        if self.began is None or self.completed is None:
            return None
        return seconds_between(self.began, self.completed)

    def samples(self, recording: Recording) -> list[tuple[int, TasksSampled]]:
        """Return the samples of the tasks' states taken for this transition."""
        return [
            (index, event)
            for index, event in recording.of(TasksSampled)
            if event.patch == self.patch and event.target == self.target
        ]


def seconds_between(first: At, second: At) -> float:
    """Return the seconds from one event to another, by the best clock that both have."""
    a, b = first[1], second[1]
    if a.guest_ns is not None and b.guest_ns is not None:
        return (b.guest_ns - a.guest_ns) / 1e9
    return (b.host_ns - a.host_ns) / 1e9


def due_transitions(recording: Recording) -> list[Transition]:
    """Return every transition that the case must go through, with the marks that were seen.

    Each module is patched in; those that no later module replaces are patched out again.
    """
    loaded = [module.name for module in recording.case.modules]
    lasting = lasting_modules(recording.case)
    due = [Transition(name, "patching") for name in loaded]
    due += [Transition(name, "unpatching") for name in reversed(lasting)]
    for transition in due:
        _take_marks(transition, recording)
    return due


def _take_marks(transition: Transition, recording: Recording) -> None:
    marks = [
        (index, event)
        for index, event in recording.of(TransitionMarked)
        if event.patch == transition.patch and event.direction == transition.direction
    ]
    began = [mark for mark in marks if mark[1].mark == "began"]
    completed = [mark for mark in marks if mark[1].mark == "completed"]
    for source in _BEST_FIRST:
        first = next((mark for mark in began if mark[1].source == source), None)
        last = next((mark for mark in completed if mark[1].source == source), None)
        if first and last:  # both ends by one clock
            transition.began, transition.completed = first, last
            break
    else:
        transition.began = began[0] if began else None
        transition.completed = completed[0] if completed else None
    transition.reversals = [mark for mark in marks if mark[1].mark == "reversed"]
    transition.abandoned = next((mark for mark in marks if mark[1].mark == "abandoned"), None)
    transition.forced = [mark for mark in marks if mark[1].mark == "forced"]
