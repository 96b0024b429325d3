"""Measures of a release held against those of the baseline: worse, or chance?"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterator, Sequence

from msgspec import Struct

from lpharness.gate.evidence import Evidence, Tried
from lpharness.gate.findings import Comparison, Finding
from lpharness.gate.policy import Held, Policy
from lpharness.gate.statistics import Outcome, Sample, holm, rank_test
from lpharness.store.measures import BEFORE, HIGHER_IS_BETTER, Measure
from lpharness.store.trials import Line

ELSEWHERE = "taken on other machines than the baseline's"


class Series(Struct, frozen=True, kw_only=True):
    """The values of a measure of one line, of each machine apart."""

    line: Line
    samples: tuple[Sample, ...]
    """One for each machine that has values on both sides; the greater, the worse."""
    baseline: int
    """How many values there are in all."""
    candidate: int
    ratio: float
    """The candidate's median as a share of the baseline's, of the machines that have both."""

    @property
    def elsewhere(self) -> bool:
        """Whether there are values on both sides, of no machine that has both."""
        return bool(self.baseline and self.candidate and not self.samples)


def compare(
    policy: Policy, table: Sequence[tuple[Held, Sequence[Series]]]
) -> list[tuple[Held, Comparison]]:
    """Test every measure of all lines together and, if the policy says so, of each line."""
    asked: list[tuple[Held, Sequence[Series], bool]] = []
    for held, series in table:
        told = [one for one in series if one.samples]
        if len(told) > 1 or (told and not policy.statistics.each_line):
            asked.append((held, told, True))
        if policy.statistics.each_line:
            asked += [(held, [one], False) for one in told]
    tests = [rank_test([s for one in told for s in one.samples]) for _, told, _ in asked]
    can, does = holm(tests, policy.statistics.alpha)
    return [
        (held, _comparison(held, told, test, together=together, can=can[index], does=does[index]))
        for index, ((held, told, together), test) in enumerate(zip(asked, tests, strict=True))
    ]


def findings(
    policy: Policy,
    table: Sequence[tuple[Held, Sequence[Series]]],
    compared: Sequence[tuple[Held, Comparison]],
) -> Iterator[Finding]:
    """Yield what the comparisons say, and what could not be compared."""
    answers = policy.answers
    for held, one in compared:
        if one.verdict == "slower":
            yield Finding(
                kind="slower", answer=answers.slower, about=one.about, said=_said(held, one),
                line=one.line,
            )  # fmt: skip
    for held, series in table:
        away = [one for one in series if one.elsewhere]
        if away:
            said = f"{_lines(len(away))} {ELSEWHERE}, as {away[0].line}"
            yield Finding(kind="elsewhere", answer=answers.elsewhere, about=held.words, said=said)
        mine = [one for of, one in compared if of is held]
        few = _too_few(series, mine, policy.statistics.alpha, len(compared))
        if few is not None:
            yield Finding(kind="few", answer=answers.few, about=held.words, said=few)


def gather(
    policy: Policy, baseline: Evidence, candidate: Evidence
) -> list[tuple[Held, list[Series]]]:
    """Return the values of each measure, of each line that both releases have."""
    both = [line for line in candidate.lines if line in baseline.lines]
    return [
        (held, [_series(policy, held, line, baseline, candidate) for line in both])
        for held in policy.measure
    ]


def _series(
    policy: Policy, held: Held, line: Line, baseline: Evidence, candidate: Evidence
) -> Series:
    together = policy.statistics.any_machine
    before = _values(held, baseline.lines[line], baseline.measures, together=together)
    now = _values(held, candidate.lines[line], candidate.measures, together=together)
    return series_of(held, line, before, now)


def series_of(
    held: Held, line: Line, before: dict[str, list[float]], now: dict[str, list[float]]
) -> Series:
    """Return the series of values by machine."""
    machines = sorted(before.keys() & now.keys())
    sign = -1 if held.name in HIGHER_IS_BETTER else 1
    samples = tuple(
        Sample(
            baseline=tuple(sign * value for value in before[machine]),
            candidate=tuple(sign * value for value in now[machine]),
        )
        for machine in machines
    )
    ratios = [_ratio(before[machine], now[machine]) for machine in machines]
    return Series(
        line=line,
        samples=samples,
        baseline=sum(map(len, before.values())),
        candidate=sum(map(len, now.values())),
        ratio=statistics.median(ratios) if ratios else 1.0,
    )


def _values(
    held: Held, tried: Tried, measures: dict[int, list[Measure]], *, together: bool
) -> dict[str, list[float]]:
    """Return one value of each trial that came out well, by machine.

    What a trial that went wrong took is not what a patch takes; its verdict speaks for it.
    """
    found: dict[str, list[float]] = defaultdict(list)
    for trial in tried.good:
        value = _value(held, measures.get(trial.id, ()))
        if value is not None:
            found["" if together else trial.machine].append(value)
    return found


def _value(held: Held, measures: Sequence[Measure]) -> float | None:
    """Return a trial's value: of several livepatches the greatest."""
    values = [m.value for m in measures if (m.name, m.phase) == (held.name, held.phase)]
    if not values or not held.relative:
        return max(values, default=None)
    own = [m.value for m in measures if (m.name, m.phase) == (held.name, BEFORE)]
    return max(values) / max(own) if own and max(own) > 0 else None


def _ratio(before: Sequence[float], now: Sequence[float]) -> float:
    was, is_ = statistics.median(before), statistics.median(now)
    if was == 0:
        return 1.0 if is_ == 0 else math.inf
    return is_ / was


def _worse_by(held: Held, ratio: float) -> float:
    return 1 - ratio if held.name in HIGHER_IS_BETTER else ratio - 1


def _comparison(
    held: Held, told: Sequence[Series], test: Outcome, *, together: bool, can: bool, does: bool
) -> Comparison:
    ratio = statistics.median(one.ratio for one in told) if told else 1.0
    worse = does and _worse_by(held, ratio) >= held.worse
    return Comparison(
        measure=held.words,
        line=None if together else told[0].line,
        lines=len(told),
        baseline=sum(len(sample.baseline) for one in told for sample in one.samples),
        candidate=sum(len(sample.candidate) for one in told for sample in one.samples),
        ratio=ratio,
        p=test.p,
        verdict="slower" if worse else "fine" if can else "few",
    )


def _said(held: Held, one: Comparison) -> str:
    by = _worse_by(held, one.ratio)
    more = "less" if held.name in HIGHER_IS_BETTER else "more"
    return (
        f"{by:.0%} {more} than the baseline (p = {one.p:.2g}; {one.candidate} trials against "
        f"{one.baseline})"
    )


def _too_few(
    series: Sequence[Series], mine: Sequence[Comparison], alpha: float, asked: int
) -> str | None:
    """Return what cannot be said of a measure for want of values; ``None`` if all can."""
    if not series:
        return "no line is in both releases"
    bare = [one for one in series if not one.samples and not one.elsewhere]
    few = [one for one in mine if one.verdict == "few"]
    said = []
    if bare:
        said.append(f"{_lines(len(bare))} without values on both sides, as {bare[0].line}")
    if any(one.line is None for one in few) or (few and all(one.verdict == "few" for one in mine)):
        said.append("too few trials to say anything")
    elif few:
        least = min(few, key=lambda one: min(one.baseline, one.candidate))
        said.append(
            f"too few trials to say of {_lines(len(few))} by itself, as {least.line} "
            f"({least.candidate} against {least.baseline})"
        )
    if few:
        said.append(f"{enough(alpha, asked)} against as many of each line would do")
    return "; ".join(said) or None


def enough(alpha: float, asked: int) -> int:
    """Return of how many values on each side a test can tell, if so many are asked."""
    number = 1
    while math.comb(2 * number, number) * alpha < asked:
        number += 1
    return number


def _lines(number: int) -> str:
    return "1 line" if number == 1 else f"{number} lines"
