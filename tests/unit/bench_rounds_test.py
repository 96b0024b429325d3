"""Trials that are timed in rounds: each is in one of them, and what is compared is of one round."""

import pytest

from lpharness.bench.run.rounds import Rounds, parts
from lpharness.cases import load
from lpharness.run.cells import Cell, Wanted
from lpharness.run.layout import typed
from lpharness.run.request import Settings


@pytest.mark.parametrize(("trials", "rounds"), [(40, 4), (7, 4), (2, 4), (5, 1)])
def test_each_trial_is_in_one_part_and_parts_are_even(trials: int, rounds: int) -> None:
    wanted = tuple(Wanted(workload="idle", repeat=number) for number in range(1, trials + 1))
    cell = Cell(case=load("cmdline"), kernel="debian:6.1-cloud", release="6.1", wanted=wanted)
    layout = typed(Settings(), [cell])
    found = [part.order for part in parts(layout, rounds)]
    names = [name.slug for part in found for name in part]
    assert sorted(names) == sorted(name.slug for name in layout.order)
    assert max(map(len, found)) - min(map(len, found)) <= 1
    assert all(found)


def test_a_ratio_is_of_rates_of_the_same_round() -> None:
    """The host was half as fast in the second round: no ratio moved."""
    rounds = Rounds((1, 3))
    rounds.here = {1: [6.0, 3.0], 3: [12.0, 6.0]}
    rounds.cluster = [10.0, 5.0]
    found = {figure.name: figure for figure in rounds.figures()}
    assert found["times as many as one by one"].samples == [2.0, 2.0]
    more = found["time that the cluster adds to that"]
    assert more.samples == pytest.approx([20.0, 20.0])
    assert more.met is False
