"""What one trial tells of its model.

Times are the guest's; seconds count from the begin of the transition.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from msgspec import Struct

from lpharness.checks.transitions import Direction
from lpharness.results.model import Verdict

Kind = Literal["running", "sleeping", "kthread", "idle"]
"""Of a task, when it moved: on its way to user mode by itself; asleep in the kernel, where somebody
else moved or woke it; a kernel thread; the idle task of a CPU."""
KINDS: tuple[Kind, ...] = ("running", "sleeping", "kthread", "idle")

PACE_S = 0.2
"""Workers report each 0.1 s, somewhat later under emulation."""

Stage = Literal["before", "patching", "patched", "unpatching", "after"]
"""Of a trial: the transitions, and what lies before, between and after them."""
STAGES: tuple[Stage, ...] = ("before", "patching", "patched", "unpatching", "after")

Outcome = Literal["completed", "gave up", "not over", "never began"]


class Move(Struct, frozen=True, kw_only=True):
    """A task that went over."""

    at_s: float
    """At the latest, where nobody saw it as it happened."""
    pid: int
    comm: str
    kind: Kind
    seen: bool
    """Whether it was seen as it happened, not on the next look at all tasks."""


class Stop(Struct, frozen=True, kw_only=True):
    """One time that the machine stood still, by the model's own account."""

    at_s: float
    seconds: float
    """From when the last CPU stood still to when the first went on."""
    call_s: float
    """From the call of ``stop_machine`` to its return: with the way there and back."""
    tasks: int
    frames: int
    """Entries of stack traces that were looked at, or words of stacks."""
    felt_s: float | None = None
    """The longest stand-still of a CPU that the heartbeats in the kernel saw meanwhile."""


class Beating(Struct, frozen=True, kw_only=True):
    """How a trial's heartbeats in the kernel beat."""

    cpus: int
    period_s: float
    kept_s: float
    """Gaps of at least so much were kept."""
    cost_s: float | None
    """Of a beat; ``None`` where it was not measured in this very guest."""
    chosen: str
    """Why this period: ``default``, ``measured``, or ``remembered`` of another guest."""
    lost: int
    """Gaps that were not read in time: in no figure but this one."""


class StandStill(Struct, frozen=True, kw_only=True):
    """A stretch in which a CPU did no task's work, by its heartbeat in the kernel."""

    cpu: int
    at_s: float
    """Since the load began: less than 0 before anything was changed."""
    seconds: float
    deaf_s: float
    """The longest part of it without any interrupt."""
    own_s: float
    """Without what the host made of it, as far as the host tells."""


class Gap(Struct, frozen=True, kw_only=True):
    """The longest time that a CPU did nothing."""

    own_s: float
    """Without what the host made of it, as far as the host tells: the longest of those."""
    whole_s: float
    """The longest, whoever made it."""


class Blocked(Struct, frozen=True):
    """A task that was in the way, once for each look that found it there."""

    comm: str
    function: str
    """The patched function on its stack; else where it was."""
    kthread: bool
    looks: int


class Met(Struct, frozen=True, kw_only=True):
    """Tokens that came from an A to a B in one place around a transition."""

    place: str
    tokens: int
    """All of them: how much the place was driven."""
    ahead: int
    """Made by what comes in, taken by what goes out, which cannot understand it."""
    behind: int
    """Made by what goes out, taken by what comes in."""


class Call(Struct, frozen=True, kw_only=True):
    """A call of a patched function, as the mean of many in a row."""

    at_s: float
    """Since the load began: less than 0 before anything was changed."""
    stage: Stage | None
    """``None`` while something else went on: a module was loaded, say."""
    ns: float
    twin_ns: float
    """Of a function like it that is never patched."""


class Crossing(Struct, frozen=True, kw_only=True):
    """One transition: patching or unpatching."""

    direction: Direction
    outcome: Outcome
    seconds: float | None = None
    """Until it completed."""
    switched_s: float | None = None
    """When everything switched at once, under a model that does; then there are no `moves`."""
    moves: tuple[Move, ...] = ()
    looks: int = 0
    """How often the model looked at all tasks; 0 where it does not say."""
    failed: int = 0
    """How many of these found somebody in the way."""
    stops: tuple[Stop, ...] = ()
    blocked: tuple[Blocked, ...] = ()
    gap: Gap | None = None
    """From the load, or the write to ``enabled``, to the end; ``None`` without heartbeats."""
    window_s: tuple[float, float] | None = None
    """That time, counted from the begin of the load."""
    met: tuple[Met, ...] = ()
    """Empty for a case that does not count it."""
    pace: tuple[tuple[float, float], ...] = ()
    """What the workload did around it: seconds after its begin, operations a second from there on
    for `PACE_S`."""

    @property
    def first_s(self) -> float | None:
        """When the first task had moved."""
        return min((move.at_s for move in self.moves), default=self.switched_s)

    @property
    def last_s(self) -> float | None:
        """When the last task had."""
        return max((move.at_s for move in self.moves), default=self.switched_s)


class Measured(Struct, frozen=True, kw_only=True):
    """A trial."""

    case: str
    kernel: str
    workload: str
    model: str
    repeat: int
    verdict: Verdict
    reason: str
    accelerator: str = ""
    tasks: int | None = None
    """Of the whole machine, the most that were seen at one time; ``None`` where nobody counted."""
    crossings: tuple[Crossing, ...] = ()
    baseline_gap: Gap | None = None
    """Before anything was changed: the noise."""
    baseline_s: float | None = None
    """How long that was."""
    beating: Beating | None = None
    """``None`` where there were no heartbeats in the kernel; then gaps are those of processes."""
    stills: tuple[StandStill, ...] = ()
    """Every stand-still that those kept."""
    calls: tuple[Call, ...] = ()
    """Empty for a case that does not time them."""
    before: float | None = None
    """Operations of the workload a second, until the load."""
    during: float | None = None
    """While something changed: load, transitions and unload."""
    patched: float | None = None
    after: float | None = None


def completed(
    trials: Iterable[Measured], direction: Direction
) -> Iterator[tuple[Measured, Crossing]]:
    """Yield the transitions in one direction that completed, with their trials."""
    for trial in trials:
        for crossing in trial.crossings:
            if crossing.direction == direction and crossing.outcome == "completed":
                yield trial, crossing
