"""Scenarios fitted to recordings of real trials."""

import simulation_support  # noqa: F401  (interprets)

# isort: split
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lpharness.base.errors import InputError
from lpharness.cli.simulate import app
from lpharness.simulation.fit import fit
from lpharness.simulation.simulate import simulate

_TRIALS = Path(__file__).parent.parent / "recordings" / "trials"


def test_a_stall_is_fitted_with_its_sleepers_and_simulated_about_as_long() -> None:
    fitted = fit(_TRIALS / "stall")
    sleepers = [group for group in fitted.scenario.tasks if group.name.startswith("sleeper-")]
    assert len(sleepers) == 4
    assert fitted.scenario.patch.functions == ["__do_sys_pause"]
    assert fitted.measured_s == pytest.approx(3.86, abs=0.01)
    outcome = simulate(fitted.scenario, "hybrid", 1)
    assert outcome.outcome == "completed"
    assert outcome.completed_s == pytest.approx(fitted.measured_s, abs=1.8)  # a try's distance


def test_workers_keep_their_rate() -> None:
    fitted = fit(_TRIALS / "cmdline")
    (workers,) = [group for group in fitted.scenario.tasks if group.name == "proc-reader"]
    assert workers.count == 2
    assert "call cmdline_proc_show" in workers.program
    assert not fitted.scenario.machine.kernel.resched_switches


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        fit(tmp_path)


@pytest.mark.parametrize("arguments", [[], ["mixed", "--fit", str(_TRIALS / "stall")]])
def test_a_scenario_comes_from_one_place(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, InputError)


def test_the_simulated_stands_beside_the_measured() -> None:
    result = CliRunner().invoke(app, ["--fit", str(_TRIALS / "stall"), "-m", "hybrid"])
    assert "measured 3.86 s" in result.output
