"""The gate's statistics, held against counting everything out and against drawing."""

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lpharness.bench.gate import Settings, measure
from lpharness.gate import statistics
from lpharness.gate.measured import enough
from lpharness.gate.statistics import Outcome, Sample, holm, rank_test

VALUES = st.lists(st.integers(0, 5).map(float), min_size=1, max_size=4).map(tuple)


def counted_out(samples: list[Sample]) -> tuple[float, float]:
    """Return p and the least p by trying every way to draw the candidates: the definition."""

    def rank_sum(everything: tuple[float, ...], chosen: tuple[int, ...]) -> float:
        """Sum mid-ranks: a half for each value, itself too, that is the same."""
        return sum(
            sum((other < everything[i]) + 0.5 * (other == everything[i]) for other in everything)
            for i in chosen
        )

    ways = []
    seen = 0.0
    for sample in samples:
        everything = sample.baseline + sample.candidate
        mine = tuple(range(len(sample.baseline), len(everything)))
        seen += rank_sum(everything, mine)
        ways.append(
            [
                rank_sum(everything, chosen)
                for chosen in itertools.combinations(range(len(everything)), len(mine))
            ]
        )
    sums = [sum(drawn) for drawn in itertools.product(*ways)]
    as_bad = sum(value >= seen - 1e-9 for value in sums)
    worst = sum(value >= max(sums) - 1e-9 for value in sums)
    return as_bad / len(sums), worst / len(sums)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.builds(Sample, baseline=VALUES, candidate=VALUES), min_size=1, max_size=2))
def test_p_is_the_share_of_draws_that_are_as_bad(samples: list[Sample]) -> None:
    found = rank_test(samples)
    assert (found.p, found.least) == pytest.approx(counted_out(samples))


def test_a_known_example() -> None:
    # Hollander, Wolfe and Chicken, "Nonparametric Statistical Methods", section 4.1.
    at_term = (0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46)
    early = (1.15, 0.88, 0.90, 0.74, 1.21)
    found = rank_test([Sample(baseline=early, candidate=at_term)])
    assert found.p == pytest.approx(0.1272, abs=1e-4)


@pytest.mark.parametrize("size", [8, 24])
def test_where_counting_out_ends_the_normal_distribution_goes_on(
    monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    dice = random.Random(size)
    strata = 600 // (size * size) or 1
    for slower in (0.0, 0.3, 0.5):
        samples = [
            Sample(
                baseline=tuple(dice.gauss(0, 1) for _ in range(size)),
                candidate=tuple(dice.gauss(slower, 1) for _ in range(size)),
            )
            for _ in range(strata)
        ]
        exact = rank_test(samples).p
        with monkeypatch.context() as patched:
            patched.setattr(statistics, "_EXACT", 0)
            assert 0.95 * exact < rank_test(samples).p < 1.2 * exact


def test_without_values_nothing_is_said() -> None:
    assert rank_test([]) == Outcome(p=1.0, least=1.0)
    assert rank_test([Sample(baseline=(1.0,), candidate=())]) == Outcome(p=1.0, least=1.0)
    same = Sample(baseline=(1.0,) * 40, candidate=(1.0,) * 40)
    assert rank_test([same]).p == 1.0


def test_holm_rejects_step_by_step() -> None:
    tests = [Outcome(p=p, least=0.0) for p in (0.04, 0.01, 0.02, 0.5)]
    # 0.01 <= 0.05/4; 0.02 > 0.05/3: it ends there, though 0.04 <= 0.05/1.
    assert holm(tests, 0.05) == ([True] * 4, [False, True, False, False])
    tests = [Outcome(p=p, least=0.0) for p in (0.016, 0.012, 0.02, 0.05)]
    assert holm(tests, 0.05) == ([True] * 4, [True] * 4)


def test_tests_that_cannot_tell_cost_the_others_nothing() -> None:
    able = [Outcome(p=0.02, least=0.001), Outcome(p=0.9, least=0.001)]
    unable = [Outcome(p=0.05, least=0.05)] * 100
    can, does = holm([*unable, *able], 0.05)
    assert can == [False] * 100 + [True, True]
    assert does == [False] * 100 + [True, False]
    assert holm(unable[:1], 0.05) == ([True], [True])  # alone it can
    assert holm([], 0.05) == ([], [])


def test_what_is_equally_able_is_in_or_out_together() -> None:
    alike = [Outcome(p=0.01, least=0.01)] * 6  # five of them could be told from chance, not six
    assert holm(alike[:5], 0.05) == ([True] * 5, [True] * 5)
    assert holm(alike, 0.05) == ([False] * 6, [False] * 6)
    assert holm([*alike, Outcome(p=0.05, least=0.001)], 0.05)[1] == [False] * 6 + [True]


def test_how_many_would_do() -> None:
    assert enough(0.05, 1) == 3  # 1 of 20 ways
    assert enough(0.05, 66) == 7  # 1 of 3432
    apart = Sample(baseline=tuple(range(7)), candidate=tuple(range(7, 14)))
    assert holm([rank_test([apart])] * 66, 0.05)[0] == [True] * 66


def test_planted_slow_downs_are_found_and_none_is_called_where_none_is() -> None:
    settings = Settings(slower=(0.5,), repeats=(3, 8), spreads=(0.05,), lines=4, draws=30, seed=2)
    rows = {(row.planted, row.repeats): row for row in measure(settings)}
    assert rows["one line", 8].share == 1.0
    assert rows["all lines", 3].share == 1.0
    assert rows["one line", 3].share == 0.0  # 1 of 20 ways is no evidence among 30 comparisons
    assert rows["nothing", 8].share <= 0.1
    assert rows["nothing", 8].draws == 120
