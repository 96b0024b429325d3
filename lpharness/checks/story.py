"""A recording as chapters: what happened in which phase, and to which module."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from lpharness.cases.model import Case
from lpharness.checks.contract import PatchedFunction, Recording
from lpharness.results.model import Verdict
from lpharness.timeline.events import Event, GuestEnded, PatchSysfs, Phase, PhaseBegan, Vitals

E = TypeVar("E", bound=Event)

KERNEL_DEATHS = frozenset({"panicked", "oopsed", "hung", "reset", "powered-off"})
"""Conditions (``guests.contract.Condition``) in which the guest's own kernel ended its life."""
ENDED_BY_HARNESS = frozenset({"alive", "harness-ended"})
"""Conditions that say that the guest was well until the harness ended it."""
# Once the harness ends the trial, these are its own doing.
_FINE_AT_THE_END = ENDED_BY_HARNESS | {"killed", "powered-off", "connection-lost", "reset"}


@dataclass(slots=True)
class Chapter:
    """One phase and what was seen in it."""

    phase: Phase
    module: str | None
    events: list[tuple[int, Event]] = field(default_factory=list)

    def of(self, kind: type[E]) -> Iterator[tuple[int, E]]:
        """Yield the chapter's events of a kind with their index in the timeline."""
        for index, event in self.events:
            if isinstance(event, kind):
                yield index, event

    def last(self, kind: type[E]) -> tuple[int, E] | None:
        """Return the chapter's latest event of a kind."""
        return next(((i, e) for i, e in reversed(self.events) if isinstance(e, kind)), None)


@dataclass(frozen=True, slots=True)
class Death:
    """How the guest's life ended, if the harness did not end it in good order."""

    verdict: Verdict
    """``fail`` when its own kernel did it, ``error`` when nobody can say."""
    text: str
    at: tuple[int, GuestEnded]


class Story:
    """The chapters of a recording, in order."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.chapters: list[Chapter] = []
        for index, event in enumerate(recording.events):
            if isinstance(event, PhaseBegan):
                self.chapters.append(Chapter(event.phase, event.module))
            if self.chapters:
                self.chapters[-1].events.append((index, event))

    def find(self, phase: Phase, module: str | None = None) -> Chapter | None:
        """Return the last chapter of a phase (about a module, if one is named)."""
        for chapter in reversed(self.chapters):
            if chapter.phase is phase and module in (None, chapter.module):
                return chapter
        return None

    def began(self, phase: Phase) -> int | None:
        """Return the index of the event with which a phase first began."""
        for chapter in self.chapters:
            if chapter.phase is phase:
                return chapter.events[0][0]
        return None

    def chapter_at(self, index: int) -> Chapter | None:
        """Return the chapter that an event of the timeline lies in."""
        found = None
        for chapter in self.chapters:
            if chapter.events[0][0] > index:
                break
            found = chapter
        return found

    @property
    def death(self) -> Death | None:
        """How the guest died; ``None`` if it lived until the harness ended it."""
        for index, event in self.recording.of(GuestEnded):
            chapter = self.chapter_at(index)
            at_end = chapter is not None and chapter.phase is Phase.END
            if event.condition in (_FINE_AT_THE_END if at_end else ENDED_BY_HARNESS):
                continue
            where = _describe(chapter)
            detail = f": {event.detail}" if event.detail else ""
            verdict = Verdict.FAIL if event.condition in KERNEL_DEATHS else Verdict.ERROR
            return Death(verdict, f"the guest {event.condition} {where}{detail}", (index, event))
        return None

    @property
    def died(self) -> str:
        """How the guest died, in words; empty if it did not."""
        return self.death.text if self.death else ""

    def changes_began(self) -> int | None:
        """Return the index of the event with which the kernel was first to be changed."""
        load = self.began(Phase.LOAD)
        return self.began(Phase.SELFTEST) if load is None else load

    def baseline_vitals(self) -> tuple[int, Vitals] | None:
        """Return the last vitals from before the first load, or the selftest."""
        load = self.changes_began()
        found = None
        for index, event in self.recording.of(Vitals):
            if load is not None and index > load:
                break
            found = (index, event)
        return found

    def final_vitals(self) -> tuple[int, Vitals] | None:
        """Return the last vitals of the chapter after the unload."""
        chapter = self.find(Phase.AFTER)
        return chapter.last(Vitals) if chapter else None

    def object_loaded(self, function: PatchedFunction, chapter: Chapter) -> bool:
        """Tell whether the object a function lives in was loaded at the end of a chapter.

        A function of a module that is not there yet is not expected to be patched yet.
        """
        if function.object == "vmlinux":
            return True
        end = chapter.events[-1][0]
        loaded = False
        for index, event in enumerate(self.recording.events[: end + 1]):
            del index
            if isinstance(event, Vitals):
                loaded = function.object.replace("-", "_") in event.modules
            elif isinstance(event, PatchSysfs) and (state := event.objects.get(function.object)):
                loaded = loaded or bool(state.patched)
        return loaded


def _describe(chapter: Chapter | None) -> str:
    if chapter is None:
        return "before the trial's first phase"
    module = f" of {chapter.module}" if chapter.module else ""
    return f"in the phase {chapter.phase.value}{module}"


def lasting_modules(case: Case) -> tuple[str, ...]:
    """Return the modules that are on together at the end: those that no later one replaces."""
    names = [module.name for module in case.modules]
    last = max((i for i, module in enumerate(case.modules) if module.replaces), default=0)
    return tuple(names[last:])


def replaced_by(recording: Recording, module: str) -> set[str]:
    """Return the modules that an atomic replace puts out of use: all that came before it."""
    names = [source.name for source in recording.case.modules]
    replacing = {source.name for source in recording.case.modules if source.replaces}
    return set(names[: names.index(module)]) if module in replacing else set()


def comes_late(function: PatchedFunction, recording: Recording) -> bool:
    """Tell whether a function's module is loaded only after the patch, in this trial's variant.

    No probe can wait in such a function: the kernel drops it with the module.
    """
    late = {v.name for v in recording.case.variants if v.target == "after"}
    return function.object != "vmlinux" and recording.id.variant in late


def due_state(story_phase: Phase, module: str | None) -> str:
    """Return the state of behaviour that a probe must show in a phase."""
    return (module or "patched") if story_phase is Phase.STEADY else "original"
