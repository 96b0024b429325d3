"""What came of the trials, counted, and how near clean trials came to each bound."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from lpharness.results.model import Margin, Trial, Verdict


class Bound(Struct, frozen=True, kw_only=True):
    """One bound that a check holds, over all trials."""

    check: str
    name: str
    measured: int
    """How often something was held to it."""
    typical: float
    """The share of the bound that was used up, the median..."""
    most: float
    """...and the most: its tightest margin, which is..."""
    tightest: Margin
    trial: str
    """...in this trial."""


class Other(Struct, frozen=True, kw_only=True):
    """A trial that did not pass."""

    trial: str
    verdict: Verdict
    reason: str


class Account(Struct, frozen=True, kw_only=True):
    """What a measurement came to."""

    trials: int
    verdicts: dict[str, int]
    kernels: dict[str, dict[str, int]]
    """Each with its verdicts."""
    workloads: dict[str, dict[str, int]]
    cases: dict[str, dict[str, int]]
    bounds: list[Bound]
    """The tightest first."""
    others: list[Other]
    seconds: float
    """Host seconds of all trials together..."""
    median_s: float
    """...and of one."""
    slowest_s: float

    @property
    def sound(self) -> bool:
        """Whether there were trials, and each passed."""
        return self.trials > 0 and not self.others


def account(trials: Sequence[Trial]) -> Account:
    """Count trials and find the tightest margin of each bound."""
    seconds = [trial.seconds for trial in trials] or [0.0]
    return Account(
        trials=len(trials),
        verdicts=dict(Counter(trial.verdict.value for trial in trials)),
        kernels=_by(trials, lambda trial: trial.id.kernel),
        workloads=_by(trials, lambda trial: trial.id.workload),
        cases=_by(trials, _case),
        bounds=_bounds(trials),
        others=[
            Other(trial=trial.id.slug, verdict=trial.verdict, reason=trial.reason)
            for trial in trials
            if trial.verdict is not Verdict.PASS
        ],
        seconds=sum(seconds),
        median_s=statistics.median(seconds),
        slowest_s=max(seconds),
    )


def _case(trial: Trial) -> str:
    return f"{trial.id.case}:{trial.id.variant}" if trial.id.variant else trial.id.case


def _by(trials: Iterable[Trial], key: Callable[[Trial], str]) -> dict[str, dict[str, int]]:
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for trial in trials:
        counts[key(trial)][trial.verdict.value] += 1
    return {name: dict(counts[name]) for name in sorted(counts)}


def _bounds(trials: Iterable[Trial]) -> list[Bound]:
    found: defaultdict[tuple[str, str], list[tuple[Margin, str]]] = defaultdict(list)
    for trial in trials:
        for result in trial.checks:
            for margin in (piece.margin for piece in result.evidence if piece.margin):
                found[result.check, margin.name].append((margin, trial.id.slug))
    bounds = []
    for (check, name), margins in found.items():
        tightest, where = max(margins, key=lambda pair: pair[0].used)
        bounds.append(
            Bound(
                check=check,
                name=name,
                measured=len(margins),
                typical=statistics.median(margin.used for margin, _ in margins),
                most=tightest.used,
                tightest=tightest,
                trial=where,
            )
        )
    return sorted(bounds, key=lambda bound: (-bound.most, bound.check, bound.name))
