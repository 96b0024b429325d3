"""What the module of a model tells of its transitions, as events of the timeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from lpharness.base.deadline import Deadline
from lpharness.base.errors import GuestError
from lpharness.guests.contract import Guest
from lpharness.timeline.events import Blocker, ModelMoved, ModelTried, TasksSampled
from lpharness.timeline.recorder import Recorder

_FOLDER = "/proc/lph_models"


def record_evidence(guest: Guest, patch: str, recorder: Recorder, deadline: Deadline) -> None:
    """Write down every look that the model took at the tasks, and every move that it saw.

    A look that found somebody in the way is a sample of the tasks, too: it names who.

    Raises:
        GuestError: it cannot be read.
    """
    tries = parse_attempts(_read(guest, "attempts", deadline), patch, recorder.now())
    for tried in tries:
        recorder.add(tried)
        if tried.blockers:
            recorder.add(_sample(tried))
    for moved in parse_moves(_read(guest, "moves", deadline), patch, recorder.now()):
        recorder.add(moved)


def _read(guest: Guest, file: str, deadline: Deadline) -> str:
    return guest.transport.get(f"{_FOLDER}/{file}", deadline=deadline).decode(errors="replace")


def _sample(tried: ModelTried) -> TasksSampled:
    moved = tried.tasks - tried.blocked
    old, new = (tried.blocked, moved) if tried.target else (moved, tried.blocked)
    return TasksSampled(
        host_ns=tried.host_ns,
        guest_ns=tried.guest_ns,
        patch=tried.patch,
        target=tried.target,
        idle=0,
        unpatched=old,
        patched=new,
        blockers=tried.blockers,
    )


def parse_attempts(text: str, patch: str, host_ns: int) -> list[ModelTried]:
    """Read ``/proc/lph_models/attempts``: a line an attempt, after it one a blocker that it kept.

    Raises:
        GuestError: a line is not of that form.
    """
    groups: list[tuple[Sequence[str], list[Sequence[str]]]] = []
    for kind, fields in _lines(text):
        if kind == "attempt" and len(fields) == 8:
            groups.append((fields, []))
        elif kind == "blocker" and len(fields) == 6 and groups:
            groups[-1][1].append(fields)
        elif kind != "total":
            raise GuestError(f"the model's account has an unknown line: {kind} {fields}")
    return [_tried(fields, blockers, patch, host_ns) for fields, blockers in groups]


def _tried(
    fields: Sequence[str], blockers: Sequence[Sequence[str]], patch: str, host_ns: int
) -> ModelTried:
    direction, *numbers = fields
    began, ended, stop_began, stop_ended, tasks, frames, blocked = map(int, numbers)
    target: Literal[0, 1] = 1 if direction == "patching" else 0
    return ModelTried(
        host_ns=host_ns,
        guest_ns=ended,
        patch=patch,
        target=target,
        began_ns=began,
        stop_began_ns=stop_began,
        stop_ended_ns=stop_ended,
        tasks=tasks,
        frames=frames,
        blocked=blocked,
        blockers=tuple(_blocker(blocker) for blocker in blockers),
        reasons=tuple(blocker[4] for blocker in blockers),
    )


def _blocker(fields: Sequence[str]) -> Blocker:
    pid, state, kthread, comm, _, stack = fields
    return Blocker(
        pid=int(pid),
        comm=comm,
        kthread=kthread == "1",
        state=state,
        stack=tuple(frame for frame in stack.split(";") if frame),
    )


def parse_moves(text: str, patch: str, host_ns: int) -> list[ModelMoved]:
    """Read ``/proc/lph_models/moves``: a line a move.

    Raises:
        GuestError: a line is not of that form.
    """
    moves = []
    for kind, fields in _lines(text):
        if kind == "move" and len(fields) == 5:
            at, pid, kthread, where, comm = fields
            moves.append(
                ModelMoved(
                    host_ns=host_ns,
                    guest_ns=int(at),
                    patch=patch,
                    pid=int(pid),
                    comm=comm,
                    kthread=kthread == "1",
                    where=where,
                )
            )
        elif kind != "total":
            raise GuestError(f"the model's account has an unknown line: {kind} {fields}")
    return moves


def _lines(text: str) -> Iterator[tuple[str, list[str]]]:
    for line in text.splitlines():
        kind, *fields = line.split("\t")
        yield kind, fields
