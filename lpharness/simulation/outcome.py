"""What came of a simulated transition, in plain words and numbers."""

from __future__ import annotations

from collections import Counter

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from lpharness.simulation import codes, fields
from lpharness.simulation.assemble import Assembly
from lpharness.simulation.machine import Array, Machine
from lpharness.simulation.scenario import Scenario

_SECOND = 1e9
_PLACES = (0.0, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0)
_CURVE_POINTS = 200
_MOST_BLOCKERS = 20


class Spread(Struct, frozen=True):
    """A distribution, in seconds; ``None`` of nothing."""

    count: int
    least: float
    quarter: float
    median: float
    three_quarters: float
    p90: float
    p99: float
    most: float


class Try(Struct, frozen=True):
    """One ``stop_machine`` of a model that stops the machine."""

    asked_s: float
    """After the transition began."""
    gather_s: float
    """From the request until the last CPU stood still."""
    check_s: float
    """How long the stacks were looked at."""
    stopped: Spread
    """How long each CPU did no work."""
    in_the_way: int
    """As far as the model counts: kpatch gives up at the first."""


class Blocker(Struct, frozen=True):
    """Tasks that were in the way at the end, and where they stood."""

    group: str
    tasks: int
    state: str
    stack: tuple[str, ...]
    """Functions, innermost first, with ``(old)`` or ``(new)`` at those of the patch."""


class Outcome(Struct, frozen=True, kw_only=True):
    """One transition under one model; seconds are simulated ones, after it began."""

    scenario: str
    model: str
    seed: int
    outcome: str
    """``completed``, ``reversed``, ``failed`` (given up) or ``unfinished`` (at the limit)."""
    completed_s: float | None
    """When the model knew that it was over."""
    moved: dict[str, Spread]
    """When tasks moved, for each group and for ``all``."""
    not_moved: int
    tries: int
    stops: list[Try]
    longest_stop_s: float
    blockers: list[Blocker]
    meetings: dict[str, int]
    """How often old and new code met."""
    syscalls_per_s_before: float | None
    syscalls_per_s_during: float | None
    curve: list[tuple[float, float]]
    """Seconds, and the share of tasks that had moved by then."""
    events: int
    simulated_s: float


def outcome(
    m: Machine, assembly: Assembly, scenario: Scenario, model: str, seed: int, until: int
) -> Outcome:
    """Read what happened out of a machine that has run."""
    g, tasks = m.g, int(m.g[codes.TASKS])
    began = int(g[codes.BEGAN_AT])
    ended = int(g[codes.ENDED_AT]) if g[codes.OUTCOME] >= codes.DONE else until
    due = m.context[:tasks, fields.VERSION] == g[codes.TARGET]
    moved = np.where(
        due & (m.context[:tasks, fields.MOVED_AT] >= 0),
        m.context[:tasks, fields.MOVED_AT] - began,
        -1,
    )
    done = g[codes.OUTCOME] == codes.DONE
    group = m.context[:tasks, fields.GROUP]
    spreads = {
        each.name: spread(moved[(group == number) & (moved >= 0)])
        for number, each in enumerate(scenario.tasks)
    }
    stops = [_try(m, number, began) for number in range(_stops(m))]
    return Outcome(
        scenario=scenario.name,
        model=model,
        seed=seed,
        outcome=_word(g),
        completed_s=(ended - began) / _SECOND if done else None,
        moved={"all": spread(moved[moved >= 0]), **spreads},
        not_moved=tasks - int(np.count_nonzero(due)),
        tries=int(g[codes.TRIES]),
        stops=stops,
        longest_stop_s=max((each.stopped.most for each in stops), default=0.0),
        blockers=[] if done else _blockers(m, assembly, scenario, due),
        meetings=dict(zip(codes.MEETINGS, g[codes.MIXED : codes.SLOT].tolist(), strict=True)),
        syscalls_per_s_before=_rate(int(g[codes.SYSCALLS_BEFORE]), began),
        syscalls_per_s_during=_rate(int(g[codes.SYSCALLS_DURING]), ended - began),
        curve=_curve(moved, tasks, ended - began),
        events=int(g[codes.EVENTS]),
        simulated_s=ended / _SECOND,
    )


def _word(g: Array) -> str:
    if g[codes.OUTCOME] == codes.DONE:
        return "completed" if g[codes.TARGET] == g[codes.TOWARD] else "reversed"
    return "failed" if g[codes.OUTCOME] == codes.FAILED else "unfinished"


def spread(values: Array) -> Spread:
    """Return the distribution of nanoseconds, in seconds."""
    if len(values) == 0:
        return Spread(0, *[0.0] * len(_PLACES))
    found = np.quantile(values, _PLACES) / _SECOND
    return Spread(len(values), *(float(each) for each in found))


def _stops(m: Machine) -> int:
    stopping = m.g[codes.MODEL] in (codes.KSPLICE, codes.KPATCH)
    return int(m.g[codes.TRIES]) if stopping else 0


def _try(m: Machine, number: int, began: int) -> Try:
    asked, stopped, released, found, _ = (int(each) for each in m.tries[number])
    return Try(
        asked_s=(asked - began) / _SECOND,
        gather_s=(stopped - asked) / _SECOND,
        check_s=(released - stopped) / _SECOND,
        stopped=spread(m.stop_ns[number]),
        in_the_way=found,
    )


def _rate(count: int, span_ns: int) -> float | None:
    return count * _SECOND / span_ns if span_ns > 0 else None


def _curve(moved: Array, tasks: int, span: int) -> list[tuple[float, float]]:
    """Return the share of tasks that had moved, at its steps or at evenly spaced ones of them."""
    times = np.sort(moved[moved >= 0])
    if len(times) == 0:
        return [(0.0, 0.0), (span / _SECOND, 0.0)]
    picks = np.unique(np.linspace(0, len(times) - 1, _CURVE_POINTS).astype(int))
    points = [(float(times[at]) / _SECOND, (int(at) + 1) / tasks) for at in picks]
    return [(0.0, 0.0), *points, (span / _SECOND, len(times) / tasks)]


def _blockers(
    m: Machine, assembly: Assembly, scenario: Scenario, due: NDArray[np.bool_]
) -> list[Blocker]:
    """Return who had not moved, like ones together, most first."""
    found: Counter[tuple[str, str, tuple[str, ...]]] = Counter()
    running = set(m.cpu[:, fields.CURRENT].tolist())
    for task in np.flatnonzero(~due & _in_the_way(m, len(due))).tolist():
        name = scenario.tasks[int(m.context[task, fields.GROUP])].name
        found[name, _state(m, task, running), _stack(m, assembly, task)] += 1
    return [
        Blocker(name, count, state, stack)
        for (name, state, stack), count in found.most_common(_MOST_BLOCKERS)
    ]


def _in_the_way(m: Machine, tasks: int) -> NDArray[np.bool_]:
    """Models that stop the machine know who was in the way; the others wait for whom they mark."""
    if not _stops(m):
        return np.ones(tasks, dtype=np.bool_)
    blocked: NDArray[np.bool_] = m.context[:tasks, fields.BLOCKED_AT] == m.g[codes.TRIES]
    return blocked


def _state(m: Machine, task: int, running: set[int]) -> str:
    if task in running:
        return "running" if m.context[task, fields.IN_KERNEL] else "running in user mode"
    return ("waiting for a CPU", "sleeping", "sleeping uninterruptibly")[
        int(m.context[task, fields.STATE])
    ]


def _stack(m: Machine, assembly: Assembly, task: int) -> tuple[str, ...]:
    top = fields.FRAMES + int(m.context[task, fields.DEPTH])
    frames = m.context[task, fields.FRAMES : top][::-1].tolist()
    return tuple(
        assembly.functions[frame >> 1]
        + ((" (old)", " (new)")[frame & 1] if m.function[frame >> 1, fields.IN_PATCH] else "")
        for frame in frames
    )
