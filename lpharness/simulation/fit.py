"""A scenario from a trial's recording: as many tasks, the same rates, the same long sleeps.

What a recording does not tell is assumed, and `Fitted.assumed` says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import takewhile
from pathlib import Path

from msgspec import Struct

from lpharness.base.errors import InputError
from lpharness.results.clock import GuestClock
from lpharness.results.figures import Transition, transitions
from lpharness.results.folder import TrialFolder
from lpharness.simulation.scenario import Kernel, Machine, Patch, Scenario, Tasks
from lpharness.timeline.events import (
    ActionTaken,
    CallsCounted,
    Event,
    HeartbeatBegan,
    ModelTried,
    TasksSampled,
    TransitionMarked,
    WorkloadBegan,
    WorkloadSample,
)

_SECOND = 1_000_000_000
_FOREVER_NS = 1_000 * _SECOND
_BUSY_NS = 1_000_000
"""A worker whose operation takes longer is taken to sleep for the most of it."""
_CPUS = 2
"""Of guests, unless told otherwise."""
_ASSUMED = (
    "an operation of a worker takes half its time in user mode",
    "an operation of more than 1 ms sleeps outside the patched functions for 9 tenths of it",
    "all other tasks sleep outside the patched functions, a second on average",
)


class Fitted(Struct, frozen=True):
    """A scenario, what was measured of the same, and what had to be assumed."""

    scenario: Scenario
    measured_s: float | None
    """Guest seconds of the first transition to the patch; ``None`` if it did not complete."""
    assumed: tuple[str, ...] = _ASSUMED


class _Sleeper(Struct):
    function: str
    state: str
    last_ns: int


def fit(folder: Path, share: float = 1.0) -> Fitted:
    """Return the scenario of a trial's folder.

    Args:
        folder: the trial's.
        share: of the time in which workers ran, what the host gave to the guest. Where it is less
            than 1 the scenario's steal must have the rest: work is that much shorter.

    Raises:
        InputError: it is no recording, or one without a transition under load.
    """
    trial = TrialFolder(folder)
    name, events = trial.load().id, trial.events()
    clock = GuestClock(events)
    moves = [move for move in transitions(events, clock) if move.direction == "patching"]
    functions = sorted({e.function for e in events if isinstance(e, CallsCounted)})
    if not moves or not functions:
        raise InputError(
            f"{folder}: no transition to fit a scenario to",
            hint="name the folder of a trial whose patch was loaded and whose calls were counted",
        )
    before = list(takewhile(lambda event: not isinstance(event, TransitionMarked), events))
    ended = moves[0].ended_ns
    during = [
        e for e in events if moves[0].began_ns <= clock.of(e) <= (ended or clock.of(events[-1]))
    ]
    groups = [
        *_workers(before, functions, share),
        *_heartbeats(before),
        *_sleepers(during, clock, functions, moves[0]),
    ]
    rest = _tasks(events) - sum(group.count for group in groups)
    if rest > 0:
        groups.append(Tasks(name="others", count=rest, program=_others()))
    scenario = Scenario(
        name=f"{name.case}, {name.workload or 'no workload'}",
        about=f"fitted to a trial on {name.kernel}",
        machine=Machine(
            cpus=_cpus(before), kernel=Kernel(resched_switches=not name.kernel.startswith("6.1."))
        ),
        patch=Patch(functions=functions),
        tasks=groups,
    )
    return Fitted(scenario, moves[0].seconds)


def _tasks(events: Sequence[Event]) -> int:
    """Return how many tasks there were: by who sampled them, or by a model that looked at all."""
    sampled = [e.unpatched + e.patched for e in events if isinstance(e, TasksSampled)]
    looked = [e.tasks for e in events if isinstance(e, ModelTried)]
    return max((*sampled, *looked), default=1)


def _cpus(before: Iterable[Event]) -> int:
    """Return how many CPUs the guest had: each has a heartbeat."""
    return next((len(e.cpus) for e in before if isinstance(e, HeartbeatBegan)), _CPUS)


def _heartbeats(before: Iterable[Event]) -> list[Tasks]:
    """Return the harness's own tasks that wake each CPU again and again."""
    for event in before:
        if isinstance(event, HeartbeatBegan):
            program = f"user 20us\nsyscall\nrun 5us\nsleep {event.period_ns}ns\nend"
            return [Tasks(name="heartbeats", count=len(event.cpus), program=program)]
    return []


def _workers(before: Sequence[Event], functions: Sequence[str], host: float) -> list[Tasks]:
    """Return the workloads' workers, with the rates that they had before the patch."""
    groups = []
    for began in (event for event in before if isinstance(event, WorkloadBegan)):
        cycle = _cycle_ns(before, began.workload)
        if cycle is None:
            continue
        calls = _calls_per_second(before, functions)
        share = {
            f: min(1.0, calls.get(f, 0.0) * cycle / _SECOND / began.workers) for f in functions
        }
        groups.append(
            Tasks(name=began.workload, count=began.workers, program=_worker(cycle, share, host))
        )
    return groups


def _cycle_ns(before: Iterable[Event], workload: str) -> int | None:
    """Return the mean time of one operation of one worker."""
    spans: dict[int, tuple[int, int, int, int]] = {}
    for event in before:
        if isinstance(event, WorkloadSample) and event.workload == workload:
            at, done = event.guest_ns or event.host_ns, event.operations
            first_at, first_done, _, _ = spans.get(event.worker, (at, done, at, done))
            spans[event.worker] = (first_at, first_done, at, done)
    took = sum(last - first for first, _, last, _ in spans.values())
    done = sum(last - first for _, first, _, last in spans.values())
    return took // done if took > 0 and done > 0 else None


def _calls_per_second(before: Iterable[Event], functions: Sequence[str]) -> dict[str, float]:
    return {
        event.function: event.hits * _SECOND / event.window_ns
        for event in before
        if isinstance(event, CallsCounted)
        and event.side == "old"
        and event.window_ns > 0
        and event.function in functions
    }


def _worker(cycle: int, share: dict[str, float], host: float) -> str:
    awake = cycle if cycle <= _BUSY_NS else cycle // 10
    asleep = cycle - awake
    awake = round(awake * host)
    calls = [name for name, part in share.items() if part > 0]
    piece = max(1, awake // 2 // (len(calls) + 1))
    lines = [f"user exponential {max(1, awake // 2)}ns", "syscall", f"run exponential {piece}ns"]
    for name in calls:
        lines += [f"maybe {share[name]:.4f}", f"call {name}", f"run exponential {piece}ns"]
        lines += ["end", "end"]
    if asleep:  # in another system call than those of the patch
        lines += ["end", "syscall", f"sleep exponential {asleep}ns"]
    return "\n".join([*lines, "end"])


def _sleepers(
    during: Sequence[Event], clock: GuestClock, functions: Sequence[str], move: Transition
) -> list[Tasks]:
    """Return the tasks that were seen asleep in a patched function, for as long as they were.

    Where the trial let them go (a case's ``release``), they left then; where it gave up on them,
    nobody saw them leave: they sleep on.
    """
    let_go = [
        clock.of(e) for e in during if isinstance(e, ActionTaken) and e.action == "release"
    ] or ([] if move.ended_ns else [move.began_ns + _FOREVER_NS])
    seen: dict[int, _Sleeper] = {}
    for event in during:
        for blocker in event.blockers if isinstance(event, TasksSampled) else ():
            names = {frame.partition("+")[0] for frame in blocker.stack}
            inside = next((name for name in functions if name in names), None)
            if inside is None or blocker.state not in ("S", "D"):
                continue
            at = clock.of(event)
            sleeper = seen.setdefault(blocker.pid, _Sleeper(inside, blocker.state, at))
            sleeper.last_ns = let_go[0] if let_go else at
    return [_sleeper(pid, sleeper, move.began_ns) for pid, sleeper in sorted(seen.items())]


def _sleeper(pid: int, sleeper: _Sleeper, began_ns: int) -> Tasks:
    """A task that falls asleep in the function before the patch comes and leaves it as seen."""
    asleep = max(1, sleeper.last_ns - began_ns)
    program = f"""
user 1ms
syscall
  call {sleeper.function}
    run 10us
    {"sleep" if sleeper.state == "S" else "block"} {_SECOND // 2 + asleep}ns
  end
end
"""
    return Tasks(name=f"sleeper-{pid}", count=1, program=program, start=f"{_SECOND // 2}ns")


def _others() -> str:
    return "user 20us\nsyscall\nrun 5us\nsleep exponential 1s\nend"
