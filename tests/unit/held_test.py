"""Simulations held against trials: whose costs are used, what agrees, and why not."""

import simulation_support  # noqa: F401  (interprets)

# isort: split
import json
import shutil
from pathlib import Path

import hypothesis.strategies as st
import pytest
from checks_samples import clean
from comparison_samples import given_up, stopping, under
from hypothesis import given, settings
from typer.testing import CliRunner

from lpharness.base.errors import InputError
from lpharness.cli.models import app
from lpharness.comparison.held.costs import with_costs
from lpharness.comparison.held.reasons import reasons
from lpharness.comparison.held.rows import Row, side
from lpharness.comparison.held.told import Sample, told
from lpharness.comparison.held.trial import Name, Trial
from lpharness.comparison.measure import measure
from lpharness.results.model import Verdict
from lpharness.simulation.scenario import Patch, Scenario, Tasks

_TRIALS = Path(__file__).parent.parent / "recordings" / "trials"
_SCENARIO = Scenario(
    name="any",
    patch=Patch(functions=["f"]),
    tasks=[Tasks(name="others", count=9, program="user 1ms")],
)


def _trial(recording=None) -> Trial:
    recording = recording or stopping()
    measured = measure(recording, Verdict.PASS, "")
    name = Name(measured.case, measured.kernel, measured.workload, measured.model)
    return Trial(name, Path(), measured, recording)


def _sample(what, value, *, direction="patching", **other) -> Sample:
    return Sample(what, _trial().name._replace(**other), direction, value, None)


def test_a_stop_tells_how_long_it_took_to_gather_and_to_go_on() -> None:
    samples = told([_trial()])
    gathers = [sample.value for sample in samples if sample.what == "gather"]
    assert gathers == pytest.approx([0.002] * 3)
    assert {sample.what for sample in samples} == {"gather", "resume", "check", "walk"}


_SECONDS = st.floats(1e-4, 10)


@settings(deadline=None, max_examples=25)
@given(own=st.lists(_SECONDS, max_size=5), other=_SECONDS)
def test_no_patching_of_a_row_is_in_its_own_costs(own: list[float], other: float) -> None:
    others = [
        _sample("gather", other, model="ksplice"),
        _sample("resume", other, workload="another"),
        _sample("check", other, direction="unpatching"),
    ]
    mine = [_sample(what, value) for what in ("gather", "resume", "check") for value in own]
    found = with_costs(_SCENARIO, _trial(), [*mine, *others])
    assert found == with_costs(_SCENARIO, _trial(), others)
    assert [cost.values for cost in found.costs] == [(other,)] * 3


def test_the_same_load_tells_a_cost_before_any_other() -> None:
    samples = [
        _sample("gather", 1.0, direction="unpatching"),
        _sample("gather", 2.0, workload="another"),
        _sample("gather", 3.0, model="ksplice"),
    ]
    costs = with_costs(_SCENARIO, _trial(), samples).costs
    assert [(cost.middle, cost.source) for cost in costs] == [
        (3.0, "the same load, another model, 1")
    ]


def test_what_nobody_tells_is_missing() -> None:
    assert with_costs(_SCENARIO, _trial(), []).missing == ("gather", "resume", "check")


def _row(measured, simulated, model="kpatch", looks=(1, 1)) -> Row:
    return Row(
        name=Name("case", "6.1", "idle", model),
        measured=side(measured, [looks[0]] * len(measured)),
        simulated=side(simulated, [looks[1]] * len(simulated)),
        costs=(),
        missing=(),
        assumed=(),
    )


@pytest.mark.parametrize(
    ("measured", "simulated", "agrees"),
    [
        ([1.0, 1.0], [1.2], True),
        ([1.0, 1.0], [1.21], False),
        ([1.0], [0.79], False),
        ([None], [None, None], True),
        ([None], [1.0], False),
        ([1.0] * 5, [1.0] * 4 + [None], True),
        ([1.0] * 5, [1.0] * 3 + [None] * 2, False),
    ],
)
def test_within_a_fifth_is_agreement(measured, simulated, agrees) -> None:
    row = _row(measured, simulated)
    assert row.agrees is agrees
    assert bool(reasons(row, [])) is not agrees


def test_a_reason_tells_of_tries() -> None:
    found = reasons(_row([2.1, 2.1], [0.1], looks=(2, 1)), [])
    assert found == ("2.0 tries measured, 1.0 simulated, each a timer apart",)


def test_a_reason_tells_of_the_kernels_timer() -> None:
    found = reasons(_row([1.3, 1.3], [0.02], model="hybrid"), [])
    assert found[0].startswith("over at the first try: 0% measured, 100% simulated")


def test_one_that_gave_up_has_failed() -> None:
    crossing = _trial(given_up()).crossing("patching")
    assert crossing is not None
    assert crossing.outcome == "gave up"


def test_an_upstream_transition_tells_when_it_is_tried_again() -> None:
    assert {s.what for s in told([_trial(under("hybrid", clean()))])} <= {"mark", "phase"}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "run.json").write_text(json.dumps({"schema": 1, "id": "x"}))
    shutil.copytree(_TRIALS / "stall", tmp_path / "trials" / "stall")
    document = tmp_path / "trials" / "stall" / "trial.json"
    document.write_text(document.read_text().replace('"error"', '"pass"'))
    return tmp_path


def test_a_recorded_stall_is_held_against_its_simulation(run: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    result = CliRunner().invoke(app, ["held", str(run), "-n", "2", "--json", "-o", str(page)])
    assert result.exit_code == 0, result.output
    (row,) = json.loads(result.stdout)["rows"]
    assert row["measured"]["seconds"] == pytest.approx([3.86], abs=0.01)
    assert row["simulated"]["count"] == 2
    assert "| stall |" in page.read_text()


def test_a_folder_without_trials_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["held", str(tmp_path)])
    assert isinstance(result.exception, InputError)
