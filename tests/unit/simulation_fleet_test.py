"""Fleets: waves, and where a rollout stops."""

import simulation_support as support

# isort: split
import pytest
from msgspec.structs import replace

from lpharness.base.errors import InputError
from lpharness.simulation.fleet import roll_out
from lpharness.simulation.outcome import Outcome
from lpharness.simulation.scenario import Fleet
from lpharness.simulation.simulate import simulate

_FLEET = Fleet(waves=[10, 100, 1000], stop_at=0.2)


@pytest.fixture(scope="module")
def patched() -> Outcome:
    outcome = simulate(support.small(), "hybrid", 1)
    assert outcome.outcome == "completed"
    return outcome


def test_machines_that_all_move_are_all_patched(patched: Outcome) -> None:
    rollout = roll_out(_FLEET, "hybrid", [patched], 1)
    assert (rollout.patched, rollout.stalled, rollout.untouched) == (1110, 0, 0)
    assert rollout.took_s == pytest.approx(3 * (patched.completed_s or 0) + 2 * 600)
    assert rollout.downtime_avoided_s == 1110 * 180


def test_a_wave_with_too_many_stalls_is_the_last(patched: Outcome) -> None:
    stalled = replace(patched, completed_s=None)
    rollout = roll_out(_FLEET, "hybrid", [stalled], 1)
    assert (rollout.stopped_after, rollout.stalled, rollout.untouched) == (1, 10, 1100)


def test_the_same_seed_draws_the_same_machines(patched: Outcome) -> None:
    samples = [patched, patched, patched, patched, replace(patched, completed_s=None)]
    fleet = replace(_FLEET, stop_at=1.0)
    assert roll_out(fleet, "hybrid", samples, 5) == roll_out(fleet, "hybrid", samples, 5)


@pytest.mark.parametrize(
    "fleet", [Fleet(waves=[]), Fleet(waves=[0]), Fleet(waves=[1], stop_at=2.0)]
)
def test_a_fleet_that_cannot_be_is_refused(fleet: Fleet, patched: Outcome) -> None:
    with pytest.raises(InputError, match="fleet"):
        roll_out(fleet, "hybrid", [patched], 1)
