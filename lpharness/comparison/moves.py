"""When which task moved, and of what kind it was: each model tells it in its own way."""

from __future__ import annotations

from collections.abc import Iterator

from lpharness.checks.contract import Recording
from lpharness.checks.models import HYBRID
from lpharness.checks.transitions import Transition
from lpharness.comparison.measured import Kind, Move
from lpharness.timeline.events import ModelMoved, ModelTried, TaskMoved

_SLACK_NS = 100_000_000
"""The kernel sets its tasks' states a little before it says that the transition began."""


def moves(recording: Recording, transition: Transition) -> tuple[Move, ...]:
    """Return each task's first move in a transition, in the order in which they were made.

    Under a model that switches everything at once there are none.
    """
    if transition.began is None:
        return ()
    found = _hybrid if recording.id.model == HYBRID else _marked
    first: dict[tuple[int, str], Move] = {}
    for move in sorted(found(recording, transition), key=lambda move: move.at_s):
        first.setdefault((move.pid, move.comm if move.pid == 0 else ""), move)
    return tuple(first.values())


def _hybrid(recording: Recording, transition: Transition) -> Iterator[Move]:
    """Yield what the watcher saw: moves of a task's own exactly, others at its next look."""
    began, ended = _ends(transition)
    for _, event in recording.of(TaskMoved):
        if event.patch != transition.patch or event.to != transition.target:
            continue
        at = min(event.guest_ns or 0, ended) if ended else event.guest_ns or 0
        itself = event.not_before_ns is None
        yield Move(
            at_s=max(0.0, (at - began) / 1e9),
            pid=event.pid,
            comm=event.comm,
            kind=_kind(event.pid, kthread=event.kthread, itself=itself),
            seen=itself,
        )


def _marked(recording: Recording, transition: Transition) -> Iterator[Move]:
    """Yield what a model says that marks tasks.

    Who passed the border only after it was woken at the model's first look was asleep in a system
    call.
    """
    began, ended = _ends(transition)
    looks = [e.began_ns for _, e in recording.of(ModelTried) if e.target == transition.target]
    woken = min(looks, default=None)
    for _, event in recording.of(ModelMoved):
        at = event.guest_ns or 0
        if event.patch != transition.patch or at < began - _SLACK_NS or (ended and at > ended):
            continue
        itself = event.where != "waiting" and (woken is None or at < woken)
        yield Move(
            at_s=max(0.0, (at - began) / 1e9),
            pid=event.pid,
            comm=event.comm,
            kind=_kind(event.pid, kthread=event.kthread, itself=itself),
            seen=True,
        )


def _ends(transition: Transition) -> tuple[int, int | None]:
    assert transition.began is not None
    end = transition.completed or transition.abandoned
    return transition.began[1].guest_ns or 0, end[1].guest_ns if end else None


def _kind(pid: int, *, kthread: bool, itself: bool) -> Kind:
    if pid == 0:
        return "idle"
    if kthread:
        return "kthread"
    return "running" if itself else "sleeping"
