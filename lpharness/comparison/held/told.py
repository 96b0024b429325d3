"""What trials tell of a model's own work: samples, each with where it is from.

A sample is never used for the transition that it was measured in: see `costs`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from msgspec import Struct

from lpharness.checks.transitions import Direction, Transition, due_transitions
from lpharness.comparison.held.host import share_around
from lpharness.comparison.held.trial import Name, Trial
from lpharness.comparison.looks import tries
from lpharness.timeline.events import ModelTried

What = Literal["gather", "resume", "check", "redirect", "mark", "unmark", "walk", "phase", "asleep"]
AT_FIRST_S = 0.7
"""A hybrid transition that took less was over at its first try: the next comes after 0.75 s."""
_SECOND_TRY_S = 2.0
_RECHECK_S = 2.0


class Sample(Struct, frozen=True):
    """One value that one transition told."""

    what: What
    name: Name
    direction: Direction
    value: float
    """Seconds; of ``asleep`` a number of tasks."""
    share: float | None
    """What the host gave the guest meanwhile."""


def told(trials: Sequence[Trial]) -> list[Sample]:
    """Return all that trials tell, of both directions."""
    return [sample for trial in trials for sample in _of(trial)]


def _of(trial: Trial) -> Iterator[Sample]:
    for transition in due_transitions(trial.recording):
        if transition.began is None:
            continue
        share = share_around(trial.recording, transition.direction)
        for what, value in _values(trial, transition):
            yield Sample(what, trial.name, transition.direction, value, share)


def _values(trial: Trial, transition: Transition) -> Iterator[tuple[What, float]]:
    model = trial.name.model
    looks = tries(trial.recording, transition)
    if model in ("ksplice", "kpatch"):
        yield from _stops(looks)
        if model == "kpatch":
            yield from _walks(looks)
    elif model == "kgraft":
        yield from _marking(transition, looks)
    elif model == "immediate" and transition.seconds is not None:
        yield "redirect", transition.seconds / max(1, len(trial.recording.functions))
    elif model == "hybrid":
        yield from _walking(trial, transition)


def _walking(trial: Trial, transition: Transition) -> Iterator[tuple[What, float]]:
    """How long the kernel takes to mark its tasks shows when the first of them moves itself."""
    crossing = trial.crossing(transition.direction)
    marked = min((m.at_s for m in crossing.moves if m.seen), default=None) if crossing else None
    if marked is not None and marked < AT_FIRST_S:
        yield "mark", marked
    if transition.seconds is None or transition.completed is None:
        return
    if AT_FIRST_S <= transition.seconds < _SECOND_TRY_S:
        yield "phase", (transition.completed[1].guest_ns or 0) % 1_000_000_000 / 1e9


def _stops(looks: Sequence[ModelTried]) -> Iterator[tuple[What, float]]:
    for look in looks:
        if look.stop_began_ns:
            yield "gather", (look.stop_began_ns - look.began_ns) / 1e9
            yield "resume", ((look.guest_ns or look.stop_ended_ns) - look.stop_ended_ns) / 1e9
            if look.tasks:
                yield "check", (look.stop_ended_ns - look.stop_began_ns) / look.tasks / 1e9


def _walks(looks: Sequence[ModelTried]) -> Iterator[tuple[What, float]]:
    """How long it takes to walk a task's stack, told by who walks all while nobody else runs.

    The hybrid walks with the same unwinder. Its own transitions do not tell: those that were over
    at the first try are those in which the walk took long enough for the other CPUs' tasks to move.
    """
    for look in looks:
        if look.stop_began_ns and look.tasks and not look.blocked:
            yield "walk", (look.stop_ended_ns - look.stop_began_ns) / look.tasks / 1e9


def _marking(transition: Transition, looks: Sequence[ModelTried]) -> Iterator[tuple[What, float]]:
    if not looks or transition.began is None:
        return
    first, last = looks[0], looks[-1]
    began = transition.began[1].guest_ns or 0
    yield "mark", max(0.0, (first.began_ns - began) / 1e9 - _RECHECK_S)
    if transition.completed is not None and last.guest_ns is not None:
        yield "unmark", max(0, (transition.completed[1].guest_ns or 0) - last.guest_ns) / 1e9
    asleep = [b for b in first.blockers if b.state == "S" and not b.kthread and b.pid]
    yield "asleep", float(len(asleep))
