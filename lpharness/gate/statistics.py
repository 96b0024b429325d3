"""Did it become worse, or is it chance? Rank tests that are exact, and Holm's correction.

The test is Mann and Whitney's (Wilcoxon's rank sum), one-sided, given the ties that there are: if
the two samples are alike, each way of drawing the candidate's values out of all of them is as
likely as any other, and the p-value is the share of those in which the candidate's ranks come to as
much as they do, or more. Several lines are tested together by the sum of their rank sums; a line's
values are only ever compared with that line's.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate, groupby

from msgspec import Struct

_EXACT = 600
"""Up to so many pairs of values the distribution is counted out. Beyond, the normal one is as good,
and errs to the safe side far out: ranks have an end, and it has none."""


class Outcome(Struct, frozen=True, kw_only=True):
    """What came of a test."""

    p: float
    """How likely ranks as bad, or worse, are by chance."""
    least: float
    """The smallest p that so many values with these ties can come to at all."""


class Sample(Struct, frozen=True, kw_only=True):
    """The values of one line: the greater, the worse."""

    baseline: tuple[float, ...]
    candidate: tuple[float, ...]

    @property
    def pairs(self) -> int:
        """How many pairs of a baseline's and a candidate's value there are."""
        return len(self.baseline) * len(self.candidate)


def rank_test(samples: Sequence[Sample]) -> Outcome:
    """Outcome whether the candidate's values are greater, in all samples together."""
    told = [sample for sample in samples if sample.pairs]
    if not told:
        return Outcome(p=1.0, least=1.0)
    if sum(sample.pairs for sample in told) <= _EXACT:
        return _exact(told)
    return _normal(told)


def holm(tests: Sequence[Outcome], alpha: float) -> tuple[list[bool], list[bool]]:
    """Say which tests can tell anything, and which of those do, so that at most ``alpha`` errs.

    A test whose `least` is above what Holm asks of the first can reject nothing: it has too few
    values. Such tests are left out, by a rule that looks at how many values and ties there are and
    not at whose they are, and Holm's procedure is held over the others: the most of them such that
    each could be the first to be rejected. Those that are equally able are in or out together.

    Returns:
        For each test whether it can tell, and whether it does.
    """
    order = sorted(range(len(tests)), key=lambda index: tests[index].least)
    leasts = [tests[index].least for index in order]
    kept = max(
        (size for least in leasts if least <= alpha / (size := bisect_right(leasts, least))),
        default=0,
    )
    can = [False] * len(tests)
    does = [False] * len(tests)
    for index in order[:kept]:
        can[index] = True
    for place, index in enumerate(sorted(order[:kept], key=lambda index: tests[index].p)):
        if tests[index].p > alpha / (kept - place):
            break
        does[index] = True
    return can, does


def _doubled_ranks(sample: Sample) -> tuple[list[int], int]:
    """Return the doubled mid-ranks of all values, and the candidate's sum of them."""
    marked = sorted(
        [(value, 0) for value in sample.baseline] + [(value, 1) for value in sample.candidate]
    )
    ranks: list[int] = []
    total = 0
    for _, group in groupby(marked, key=lambda pair: pair[0]):
        tied = list(group)
        doubled = 2 * len(ranks) + len(tied) + 1
        ranks += [doubled] * len(tied)
        total += doubled * sum(mine for _, mine in tied)
    return ranks, total


def _exact(samples: Iterable[Sample]) -> Outcome:
    """Count out the distribution of the sum of all rank sums."""
    drawn, seen = [], 0
    for sample in samples:
        ranks, total = _doubled_ranks(sample)
        drawn.append((tuple(ranks), len(sample.candidate)))
        seen += total
    sums, ways = _sums_together(tuple(sorted(drawn)))
    all_ways = ways[0]
    return Outcome(
        p=float(Fraction(ways[bisect_left(sums, seen)], all_ways)),
        least=float(Fraction(ways[-1], all_ways)),
    )


@lru_cache(maxsize=256)
def _sums_together(
    drawn: tuple[tuple[tuple[int, ...], int], ...],
) -> tuple[list[int], list[int]]:
    """Return what several draws can come to together, and in how many ways to so much or more."""
    counts = {0: 1}
    for ranks, chosen in drawn:
        counts = _convolved(counts, _rank_sums(ranks, chosen))
    sums = sorted(counts)
    ways = list(accumulate(counts[value] for value in reversed(sums)))
    return sums, ways[::-1]


@lru_cache(maxsize=4096)  # without ties all lines with so many values have the same
def _rank_sums(ranks: tuple[int, ...], chosen: int) -> dict[int, int]:
    """Return in how many ways ``chosen`` of the ranks come to each sum."""
    ways: list[dict[int, int]] = [{0: 1}, *({} for _ in range(chosen))]
    for rank in ranks:
        for size in range(chosen - 1, -1, -1):
            larger = ways[size + 1]
            for value, number in ways[size].items():
                larger[value + rank] = larger.get(value + rank, 0) + number
    return ways[chosen]


def _convolved(left: dict[int, int], right: dict[int, int]) -> dict[int, int]:
    if left == {0: 1}:
        return right
    both: dict[int, int] = {}
    for value, number in left.items():
        for other, times in right.items():
            both[value + other] = both.get(value + other, 0) + number * times
    return both


def _normal(samples: Iterable[Sample]) -> Outcome:
    """Take the sum of all rank sums as normal, with the variance that the ties leave it."""
    seen = mean = variance = 0.0
    logarithm = 0.0
    for sample in samples:
        ranks, total = _doubled_ranks(sample)
        size, chosen = len(ranks), len(sample.candidate)
        middle = size + 1  # of doubled ranks
        spread = sum((rank - middle) ** 2 for rank in ranks) / size
        seen += total
        mean += chosen * middle
        variance += chosen * (size - chosen) * spread / (size - 1)
        logarithm -= math.log(math.comb(size, chosen))
    if variance == 0:  # all values are the same
        return Outcome(p=1.0, least=1.0)
    # Doubled ranks move by two without ties: half of that is the correction for continuity.
    p = 0.5 * math.erfc((seen - 1 - mean) / math.sqrt(2 * variance))
    return Outcome(p=min(1.0, p), least=math.exp(logarithm))
