"""Trials brought together: for each kernel, workload and model what its repeats come to."""

from __future__ import annotations

import itertools
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec import Struct, field

from lpharness.checks.transitions import Direction
from lpharness.comparison.cost import Cost, costs
from lpharness.comparison.measured import KINDS, Blocked, Crossing, Kind, Measured
from lpharness.comparison.promises import Meeting, promised
from lpharness.comparison.standing import Standing, baseline_of, standing
from lpharness.results.model import Verdict

DIRECTIONS: tuple[Direction, ...] = ("patching", "unpatching")
MEETINGS: tuple[Meeting, ...] = ("ahead", "behind")


class Spread(Struct, frozen=True, kw_only=True):
    """Some values, by three of them."""

    count: int
    least: float
    median: float
    most: float


class Mixed(Struct, frozen=True, kw_only=True):
    """How often old and new met in one place, over both directions and all repeats."""

    place: str
    meeting: Meeting
    promised: bool
    """Whether the model promises that it never happens."""
    counted: int
    tokens: int
    """All that came from an A to a B there: how much the place was driven."""

    @property
    def broken(self) -> bool:
        """Whether it happened, and was promised not to."""
        return self.promised and self.counted > 0


class Crossed(Struct, frozen=True, kw_only=True):
    """The transitions of one direction."""

    direction: Direction
    completed: int
    gave_up: int
    not_over: int
    seconds: Spread | None
    """Until it completed."""
    first: Spread | None
    """When the first task had moved, of transitions that completed."""
    last: Spread | None
    kinds: dict[Kind, Spread]
    """When tasks of a kind moved, over all of them; kinds of which none was seen are left out."""
    looks: int
    failed: int
    stops: Spread | None
    """How long the machine stood still; one value a stop."""
    calls: Spread | None
    """How long the call took that stopped it."""
    felt: Spread | None
    """How long a CPU stood still around a stop, by the heartbeats in the kernel; one value each."""
    own: Spread | None
    """Longest time that a CPU did nothing, the host's share taken off; one value a trial."""
    whole: Spread | None
    """The same, whoever made it."""
    standing: Standing | None
    """How often and how long CPUs stood still meanwhile, by those heartbeats."""
    blocked: tuple[Blocked, ...]
    """Who was in the way, the most often first."""


class Row(Struct, frozen=True, kw_only=True):
    """A model on a kernel under a workload."""

    case: str
    kernel: str
    workload: str
    model: str
    trials: int
    errors: int
    """Trials of which nobody can say what they came to: not in any figure."""
    reasons: tuple[str, ...]
    """Why trials did not pass, each reason once."""
    baseline_own: Spread | None
    """As `Crossed.own` and `Crossed.whole`, before anything was changed."""
    baseline_whole: Spread | None
    noise: Standing | None
    """As `Crossed.standing`, before anything was changed."""
    before: Spread | None
    during: Spread | None
    patched: Spread | None
    after: Spread | None
    crossed: tuple[Crossed, ...]
    mixed: tuple[Mixed, ...]
    """Empty for a case that does not count it."""
    costs: tuple[Cost, ...]
    """What a call cost in each stage; empty for a case that does not time calls."""


class Comparison(Struct, frozen=True, kw_only=True):
    """What a run of several models comes to."""

    rows: tuple[Row, ...]
    schema: int = 1
    trials: tuple[Measured, ...] = field(default=())
    """The raw samples."""

    @property
    def broken(self) -> list[tuple[Row, Mixed]]:
        """The promises that were not kept."""
        return [(row, mixed) for row in self.rows for mixed in row.mixed if mixed.broken]

    @property
    def unmeasured(self) -> list[Row]:
        """The models of which no trial says anything."""
        return [row for row in self.rows if row.errors == row.trials]


def compare(trials: Sequence[Measured]) -> Comparison:
    """Bring trials together; they must be in the order in which they are to be shown."""
    groups = itertools.groupby(trials, key=lambda t: (t.case, t.kernel, t.workload, t.model))
    return Comparison(rows=tuple(_row(list(group)) for _, group in groups), trials=tuple(trials))


def _row(trials: Sequence[Measured]) -> Row:
    first = trials[0]
    known = [trial for trial in trials if trial.verdict not in (Verdict.ERROR, Verdict.SKIP)]
    return Row(
        case=first.case,
        kernel=first.kernel,
        workload=first.workload,
        model=first.model,
        trials=len(trials),
        errors=len(trials) - len(known),
        reasons=tuple(dict.fromkeys(t.reason for t in trials if t.verdict is not Verdict.PASS)),
        baseline_own=spread(t.baseline_gap.own_s for t in known if t.baseline_gap),
        baseline_whole=spread(t.baseline_gap.whole_s for t in known if t.baseline_gap),
        noise=standing((trial, baseline_of(trial)) for trial in known),
        before=spread(trial.before for trial in known),
        during=spread(trial.during for trial in known),
        patched=spread(trial.patched for trial in known),
        after=spread(trial.after for trial in known),
        crossed=tuple(
            _crossed(
                direction, [(t, c) for t in known for c in t.crossings if c.direction == direction]
            )
            for direction in DIRECTIONS
        ),
        mixed=tuple(_mixed(first.model, [c for t in known for c in t.crossings])),
        costs=costs(call for trial in known for call in trial.calls),
    )


def _crossed(direction: Direction, pairs: Sequence[tuple[Measured, Crossing]]) -> Crossed:
    crossings = [crossing for _, crossing in pairs]
    over = [crossing for crossing in crossings if crossing.outcome == "completed"]
    moves = [move for crossing in over for move in crossing.moves]
    by_kind = {kind: spread(m.at_s for m in moves if m.kind == kind) for kind in KINDS}
    stops = [stop for crossing in crossings for stop in crossing.stops]
    return Crossed(
        direction=direction,
        completed=len(over),
        gave_up=sum(crossing.outcome == "gave up" for crossing in crossings),
        not_over=sum(crossing.outcome == "not over" for crossing in crossings),
        seconds=spread(crossing.seconds for crossing in over),
        first=spread(crossing.first_s for crossing in over),
        last=spread(crossing.last_s for crossing in over),
        kinds={kind: found for kind, found in by_kind.items() if found},
        looks=sum(crossing.looks for crossing in crossings),
        failed=sum(crossing.failed for crossing in crossings),
        stops=spread(stop.seconds for stop in stops),
        calls=spread(stop.call_s for stop in stops),
        felt=spread(stop.felt_s for stop in stops),
        own=spread(crossing.gap.own_s for crossing in over if crossing.gap),
        whole=spread(crossing.gap.whole_s for crossing in over if crossing.gap),
        standing=standing((t, c.window_s) for t, c in pairs if c.outcome == "completed"),
        blocked=_blocked(crossings),
    )


def _blocked(crossings: Iterable[Crossing]) -> tuple[Blocked, ...]:
    counts: Counter[tuple[str, str, bool]] = Counter()
    for crossing in crossings:
        for who in crossing.blocked:
            counts[who.comm, who.function, who.kthread] += who.looks
    return tuple(Blocked(*who, looks) for who, looks in counts.most_common())


def _mixed(model: str, crossings: Sequence[Crossing]) -> Iterable[Mixed]:
    """Sum up what was counted around transitions that completed: the others moved nobody."""
    tokens: Counter[str] = Counter()
    counted: Counter[tuple[str, Meeting]] = Counter()
    for crossing in crossings:
        for met in crossing.met if crossing.outcome == "completed" else ():
            tokens[met.place] += met.tokens
            counted[met.place, "ahead"] += met.ahead
            counted[met.place, "behind"] += met.behind
    for place in tokens:
        for meeting in MEETINGS:
            yield Mixed(
                place=place,
                meeting=meeting,
                promised=promised(model, place, meeting),
                counted=counted[place, meeting],
                tokens=tokens[place],
            )


def spread(values: Iterable[float | None]) -> Spread | None:
    """Return the least, the median and the most of what is known; ``None`` if nothing is."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    return Spread(
        count=len(known), least=min(known), median=statistics.median(known), most=max(known)
    )
