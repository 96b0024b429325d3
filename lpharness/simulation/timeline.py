"""What each task of a small simulated machine does, moment by moment, around a transition."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from msgspec import Struct

from lpharness.base.errors import InputError
from lpharness.simulation import codes, fields
from lpharness.simulation.build import build
from lpharness.simulation.durations import nanoseconds
from lpharness.simulation.engine import run
from lpharness.simulation.machine import Machine
from lpharness.simulation.scenario import Scenario

MOST_TASKS = 16
"""Of more nobody could tell the rows of a picture apart."""
_SECOND = 1e9
_STEPS = 1_400
_BEFORE, _AFTER = 0.12, 0.3
"""What is shown before and after a transition, as a share of it; at least `_LEAST_S`."""
_LEAST_S = 0.3

Version = Literal[0, 1, 2]
"""Old, new, or both: one function of the patch is new already, and another one is not."""


class Moment(NamedTuple):
    """What a task is at."""

    calls: int
    """The version that it would call now."""
    outermost: int
    """Of the patched functions on its stack; -1 for none."""
    innermost: int
    running: bool
    in_kernel: bool


class Span(NamedTuple):
    """How long a task is at the same."""

    begin_s: float
    end_s: float
    what: Moment


class Timeline(Struct, frozen=True, kw_only=True):
    """Seconds are simulated ones, after the transition began."""

    scenario: str
    model: str
    tasks: tuple[str, ...]
    spans: tuple[tuple[Span, ...], ...]
    """Of each task, one after the other."""
    tries: tuple[tuple[float, bool], ...]
    """When the model looked at all tasks, and whether somebody was in the way."""
    first_s: float
    last_s: float
    ended_s: float | None
    """When it was over; ``None`` if it was not by the end."""


def timeline(scenario: Scenario, model: str, seed: int, took_s: float) -> Timeline:
    """Return what tasks do around a transition.

    Args:
        scenario: of at most `MOST_TASKS` tasks.
        model: whose transition.
        seed: of the simulation.
        took_s: how long the transition takes, for what is to be seen.

    Raises:
        InputError: there are too many tasks.
    """
    machine, _ = build(scenario, model, seed)
    tasks = int(machine.g[codes.TASKS])
    if tasks > MOST_TASKS:
        raise InputError(f"{tasks} tasks are too many for a picture: at most {MOST_TASKS}")
    began = nanoseconds(scenario.settle)
    first = max(0, began - round(max(_LEAST_S, took_s * _BEFORE) * _SECOND))
    last = began + round((took_s + max(_LEAST_S, took_s * _AFTER)) * _SECOND)
    rows: list[list[Span]] = [[] for _ in range(tasks)]
    tries: list[tuple[float, bool]] = []
    for at, until in _live(machine, first, last):
        begin_s, end_s = (at - began) / _SECOND, (until - began) / _SECOND
        for task, row in enumerate(rows):
            extend(row, begin_s, end_s, _moment(machine, task))
        _note_tries(machine, tries, begin_s, began)
    over = machine.g[codes.OUTCOME] == codes.DONE
    return Timeline(
        scenario=scenario.name,
        model=model,
        tasks=tuple(group.name for group in scenario.tasks for _ in range(group.count)),
        spans=tuple(tuple(row) for row in rows),
        tries=tuple(tries),
        first_s=(first - began) / _SECOND,
        last_s=(last - began) / _SECOND,
        ended_s=(int(machine.g[codes.ENDED_AT]) - began) / _SECOND if over else None,
    )


def _live(m: Machine, first: int, last: int) -> Iterator[tuple[int, int]]:
    """Let a machine live from moment to moment; yield each, and when the next one comes."""
    step = max(1, (last - first) // _STEPS)
    for at in range(first, last, step):
        m.g[codes.LINGER] = 0
        run(m, at)
        if m.g[codes.OUTCOME] == codes.DONE:  # it goes on after that, to this moment
            m.g[codes.LINGER] = at - m.g[codes.ENDED_AT]
            run(m, at)
        yield at, min(at + step, last)


def extend(row: list[Span], begin_s: float, end_s: float, what: Moment) -> None:
    """Let a row go on to a time: its last span if that is the same, else a new one."""
    if row and row[-1].what == what:
        row[-1] = row[-1]._replace(end_s=end_s)
    else:
        row.append(Span(begin_s, end_s, what))


def _moment(m: Machine, task: int) -> Moment:
    depth = int(m.context[task, fields.DEPTH])
    frames = m.context[task, fields.FRAMES : fields.FRAMES + depth].tolist()
    versions = [frame & 1 for frame in frames if m.function[frame >> 1, fields.IN_PATCH]]
    cpu = m.context[task, fields.HOME]
    return Moment(
        calls=_called(m, task),
        outermost=versions[0] if versions else -1,
        innermost=versions[-1] if versions else -1,
        running=bool(m.cpu[cpu, fields.CURRENT] == task),
        in_kernel=bool(m.context[task, fields.IN_KERNEL]),
    )


def _called(m: Machine, task: int) -> int:
    """Return what a task would call now: by function, by the kernel, or by itself."""
    if m.g[codes.MODEL] == codes.IMMEDIATE:
        patched = m.function[m.function[:, fields.IN_PATCH] == 1, fields.FUNCTION_VERSION]
        return int(patched[0]) if patched.min() == patched.max() else 2
    if m.g[codes.MODEL] in (codes.KSPLICE, codes.KPATCH):
        return int(m.g[codes.KERNEL])
    return int(m.context[task, fields.VERSION])


def _note_tries(m: Machine, tries: list[tuple[float, bool]], at_s: float, began: int) -> None:
    """Note the looks that were over by now; the hybrid's last one is not counted, but ends it."""
    over = m.g[codes.OUTCOME] == codes.DONE
    stops = m.g[codes.MODEL] in (codes.KSPLICE, codes.KPATCH)
    for number in range(len(tries), int(m.g[codes.TRIES])):
        exactly = (int(m.tries[number, 1]) - began) / _SECOND if stops else at_s
        last = over and number + 1 == m.g[codes.TRIES] and m.g[codes.MODEL] != codes.HYBRID
        tries.append((exactly, not last))
    hybrid_over = over and m.g[codes.MODEL] == codes.HYBRID and all(way for _, way in tries)
    if hybrid_over:
        tries.append(((int(m.g[codes.ENDED_AT]) - began) / _SECOND, False))
