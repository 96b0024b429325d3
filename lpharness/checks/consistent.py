"""Did every task go over once and for good: no old code after new, no new code before its time?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from lpharness.checks.contract import Recording
from lpharness.checks.ledger import Ledger
from lpharness.checks.models import task_order_due
from lpharness.checks.story import Story, replaced_by
from lpharness.checks.transitions import At, Transition, due_transitions
from lpharness.results.model import CheckResult, Margin
from lpharness.timeline.events import (
    CallSeen,
    CallsLost,
    TaskMoved,
    TasksSampled,
    TracingUnavailable,
    TransitionMarked,
)

SLACK_NS = 1_000_000
"""Two programs in the guest stamp calls and moves; 1 ms is what reading a clock may cost there."""

COMPLETION_SLACK_NS = 100_000_000
"""printk stamps by the scheduler's clock, calls bear CLOCK_BOOTTIME: some ms may lie between."""

SOON_S = 0.5
"""A transition may be over before the watcher's first sweep of all tasks, but not one so long."""

_OLD_LATE = "an outgoing call after its task's move"
_OLD_LAST = "an outgoing call after the completion"
_NEW_EARLY = "an incoming call before its task's move"

TaskKey = tuple[int, str]


@dataclass(slots=True)
class _Task:
    """What one task did during one transition."""

    moved: tuple[int, TaskMoved] | None = None
    calls: list[tuple[int, CallSeen, bool]] = field(default_factory=list)
    """Each call, and whether it entered the outgoing version."""


def check_consistent(recording: Recording) -> CheckResult:
    """Judge every task's way over, in every transition."""
    story, ledger = Story(recording), Ledger("consistent")
    moves = calls = 0
    due = due_transitions(recording)
    for transition, window in zip(due, _windows(due), strict=True):
        _judge_end(recording, transition, ledger)
        tasks = _tasks(recording, transition, window)
        moved = sum(1 for task in tasks.values() if task.moved)
        called = sum(len(task.calls) for task in tasks.values())
        # A completed transition may have moved all of them at its first try, unseen.
        if called and not moved and transition.completed is None:
            ledger.missing(transition.name, f"{called} calls were traced but no task's move")
        clocks = _Clocks()
        ordered = {f.old for f in recording.functions if task_order_due(recording, f.old)}
        for key, task in tasks.items():
            _judge_task(transition, key, task, ordered, clocks, ledger)
        for margin in clocks.margins():
            seen = f"{margin.name}: {margin.measured * 1e3:.3f} ms"
            ledger.context(f"clocks in {transition.name}", seen, margin=margin)
        if called or moved:
            ledger.context(transition.name, f"{moved} moves and {called} calls were traced")
        moves, calls = moves + moved, calls + called
    for index, lost in recording.of(CallsLost):
        if lost.count:
            ledger.context("calls", f"{lost.count} were lost: this is a sample", (index, lost))
    for index, blind in recording.of(TracingUnavailable):
        seen = f"{blind.function} ({blind.side}) was not traced: {blind.reason}"
        ledger.context("calls", seen, (index, blind))
    return ledger.result(
        f"every task reached its state; {moves} moves and {calls} calls agree", died=story.died
    )


def _judge_end(recording: Recording, transition: Transition, ledger: Ledger) -> None:
    """After a completion no task may be left in the other state."""
    what = f"tasks at the end of {transition.name}"
    samples = transition.samples(recording)
    if not samples and _over_soon(transition):
        seconds = transition.seconds or 0.0
        seen = f"over in {seconds * 1e3:.1f} ms, before a sample; none was left"
        margin = Margin(name="transition without a sample", measured=seconds, bound=SOON_S)
        ledger.right(what, seen, transition.completed, margin=margin)
        return
    if not samples:
        ledger.missing(what, "no sample of the tasks' states")
        return
    at = samples[-1]
    sample = at[1]
    behind = _behind(sample)
    seen = f"{sample.idle} idle, {sample.unpatched} unpatched, {sample.patched} patched"
    if not behind:
        ledger.right(what, seen, at)
    elif transition.completed is not None and _after(sample, transition):
        names = ", ".join(f"{b.comm} ({b.pid})" for b in sample.blockers)
        ledger.wrong(what, f"{seen}: {names}", at, wanted="none left behind")
    elif transition.completed is not None:
        # The kernel calls klp_complete_transition() only once it found nobody left behind.
        ledger.right(what, f"{seen} when last seen; then the kernel found none left", at)
    else:
        ledger.missing(what, f"{seen} when last seen, and no completion", at)


def _over_soon(transition: Transition) -> bool:
    return transition.seconds is not None and transition.seconds <= SOON_S


def _behind(sample: TasksSampled) -> int:
    left = sample.unpatched if sample.target == 1 else sample.patched
    return max(left, len(sample.blockers))


def _after(sample: TasksSampled, transition: Transition) -> bool:
    assert transition.completed is not None
    done = transition.completed[1]
    if sample.guest_ns is not None and done.guest_ns is not None:
        return sample.guest_ns > done.guest_ns + SLACK_NS
    return sample.host_ns > done.host_ns


def _windows(due: list[Transition]) -> list[tuple[float, float]]:
    """Return the guest times between which calls belong to each transition.

    From one transition's end to the next one's begin nothing changes, so the border lies in the
    middle, where a difference between the clocks does no harm.
    """
    borders = [-math.inf]
    for earlier, later in pairwise(due):
        ended, began = _stamp(earlier.completed), _stamp(later.began)
        known = [stamp for stamp in (ended, began) if stamp is not None]
        borders.append(sum(known) / len(known) if known else math.inf)
    return list(pairwise([*borders, math.inf]))


def _tasks(
    recording: Recording, transition: Transition, window: tuple[float, float]
) -> dict[TaskKey, _Task]:
    """Gather moves and calls by task, the calls of this transition's window only."""
    tasks: dict[TaskKey, _Task] = {}
    for index, move in recording.of(TaskMoved):
        if move.patch == transition.patch and move.to == transition.target:
            task = tasks.setdefault(_key(move.pid, move.comm), _Task())
            task.moved = task.moved or (index, move)
    for index, call, outgoing in _calls(recording, transition, window):
        tasks.setdefault(_key(call.pid, call.comm), _Task()).calls.append((index, call, outgoing))
    for task in tasks.values():
        task.calls.sort(key=lambda seen: seen[1].guest_ns or 0)
    return tasks


def _key(pid: int, comm: str) -> TaskKey:
    """Return a task's key; the idle tasks of all CPUs share pid 0 and differ by name."""
    return (pid, comm if pid == 0 else "")


def _calls(
    recording: Recording, transition: Transition, window: tuple[float, float]
) -> Iterator[tuple[int, CallSeen, bool]]:
    """Yield calls of a transition, and whether each entered what is on its way out.

    Patching over an earlier patch, the earlier patch's function is on its way out too.
    """
    functions = {f.old for f in recording.functions if f.module == transition.patch}
    given_back = _given_back(recording, transition)
    for index, call in recording.of(CallSeen):
        if call.guest_ns is None or not window[0] <= call.guest_ns < window[1]:
            continue
        if call.function in functions:
            ours = call.module == transition.patch and call.side == "new"
            yield index, call, ours == (transition.direction == "unpatching")
        elif call.function in given_back:
            yield index, call, call.side == "new"


def _given_back(recording: Recording, transition: Transition) -> set[str]:
    """Return the functions that a replacing patch gives back to the kernel."""
    if transition.direction != "patching":
        return set()
    kept = {f.old for f in recording.functions if f.module == transition.patch}
    return {
        f.old for f in recording.functions if f.module in replaced_by(recording, transition.patch)
    } - kept


def _stamp(at: At | None) -> int | None:
    return at[1].guest_ns if at else None


class _Clocks:
    """How far calls were on the wrong side of what they are held against.

    Within the slack that is the clocks' doing; what uses up much of it makes a bad slack.
    """

    def __init__(self) -> None:
        self._most: dict[str, tuple[int, int]] = {}

    def beyond(self, name: str, call: CallSeen, mark: int | None, slack: int) -> bool:
        """Tell whether a call lies later than a mark by more than the slack."""
        return self._take(name, _difference(call.guest_ns, mark), slack)

    def short(self, name: str, call: CallSeen, mark: int | None, slack: int) -> bool:
        """Tell whether a call lies earlier than a mark by more than the slack."""
        return self._take(name, _difference(mark, call.guest_ns), slack)

    def _take(self, name: str, excess: int | None, slack: int) -> bool:
        if excess is None:
            return False
        most, _ = self._most.get(name, (0, slack))
        self._most[name] = (max(most, excess), slack)
        return excess > slack

    def margins(self) -> list[Margin]:
        """Return what was used of each slack."""
        return [
            Margin(name=name, measured=most / 1e9, bound=slack / 1e9)
            for name, (most, slack) in self._most.items()
        ]


def _difference(later: int | None, earlier: int | None) -> int | None:
    return None if later is None or earlier is None else later - earlier


def _judge_task(
    transition: Transition,
    key: TaskKey,
    task: _Task,
    ordered: set[str],
    clocks: _Clocks,
    ledger: Ledger,
) -> None:
    arrived: CallSeen | None = None
    completed, slack = _stamp(transition.completed), _completion_slack(transition)
    moved = task.moved[1].guest_ns if task.moved else None
    not_before = task.moved[1].not_before_ns if task.moved else None
    for index, call, outgoing in task.calls:
        who = f"{call.comm} ({key[0]}) in {transition.name}"
        entered = f"entered {'the outgoing' if outgoing else 'the incoming'} {call.function}"
        if call.function not in ordered:
            if outgoing and clocks.beyond(_OLD_LAST, call, completed, slack):
                ledger.wrong(who, f"{entered} after the completion", (index, call))
            continue
        if outgoing and clocks.beyond(_OLD_LATE, call, moved, SLACK_NS):
            ledger.wrong(who, f"{entered} after it had moved", (index, call))
        elif outgoing and arrived is not None and _later(call, arrived.guest_ns):
            ledger.wrong(who, f"{entered} after it had called the incoming one", (index, call))
        elif outgoing and clocks.beyond(_OLD_LAST, call, completed, slack):
            ledger.wrong(who, f"{entered} after the completion", (index, call))
        elif not outgoing and clocks.short(_NEW_EARLY, call, not_before, SLACK_NS):
            ledger.wrong(who, f"{entered} before it moved", (index, call))
        if not outgoing and arrived is None:
            arrived = call


def _completion_slack(transition: Transition) -> int:
    mark = transition.completed[1] if transition.completed else None
    traced = isinstance(mark, TransitionMarked) and mark.source == "tracing"
    return SLACK_NS if traced else COMPLETION_SLACK_NS


def _later(call: CallSeen, than: int | None) -> bool:
    return than is not None and call.guest_ns is not None and call.guest_ns > than
