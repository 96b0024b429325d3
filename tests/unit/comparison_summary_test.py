"""Trials brought together, and what is printed of them."""

import json
from pathlib import Path

import pytest
from checks_replay_test import write
from checks_samples import clean
from comparison_samples import counting, given_up, stopping, under
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from lpharness.cli.models import app
from lpharness.comparison import compare, measure
from lpharness.comparison.measured import Crossing, Measured, Met
from lpharness.comparison.promises import ORDER, PLACES, promised
from lpharness.comparison.summary import MEETINGS, spread
from lpharness.comparison.tables import markdown, tables
from lpharness.results.folder import RunFolder
from lpharness.results.model import Verdict

STILL = ("threads 10 0 0 0\n", "threads 20 0 0 40\n", "threads 60 0 0 50\n")
MIXED = ("threads 10 0 0 0\n", "threads 20 0 2 40\n", "threads 60 0 2 50\n")

times = st.floats(min_value=0, max_value=1e6, allow_nan=False)


@given(st.lists(st.one_of(st.none(), times)))
def test_a_spread_holds_all_that_is_known(values: list[float | None]) -> None:
    known, found = [value for value in values if value is not None], spread(values)
    assert (found is None) == (not known)
    if found:
        assert found.count == len(known)
        assert min(known) == found.least <= found.median <= found.most == max(known)


def trial(model: str, ahead: int, behind: int, place: str, outcome: str = "completed") -> Measured:
    met = Met(place=place, tokens=ahead + behind + 5, ahead=ahead, behind=behind)
    crossing = Crossing(direction="patching", outcome=outcome, met=(met,))
    return Measured(case="c", kernel="k", workload="w", model=model, repeat=0,
                    verdict=Verdict.PASS, reason="", crossings=(crossing,))  # fmt: skip


counts = st.integers(min_value=0, max_value=3)


@given(
    st.sampled_from(ORDER),
    st.sampled_from([place.name for place in PLACES]),
    st.lists(st.tuples(counts, counts), min_size=1, max_size=4),
)
def test_a_promise_is_broken_by_one_count_of_what_was_promised_not_to_be(
    model: str, place: str, counted: list[tuple[int, int]]
) -> None:
    comparison = compare([trial(model, ahead, behind, place) for ahead, behind in counted])
    sums = {"ahead": sum(a for a, _ in counted), "behind": sum(b for _, b in counted)}
    wanted = {m for m in MEETINGS if promised(model, place, m) and sums[m]}
    assert {mixed.meeting for _, mixed in comparison.broken} == wanted
    assert {mixed.meeting: mixed.counted for mixed in comparison.rows[0].mixed} == sums


def test_the_promises_are_those_of_the_models() -> None:
    both = [(place.name, meeting) for place in PLACES for meeting in MEETINGS]
    assert not any(promised("immediate", *where) for where in both)
    for model in ("ksplice", "kpatch"):
        assert all(promised(model, place.name, "ahead") for place in PLACES)
    for model in ("kgraft", "hybrid"):
        assert not promised(model, "threads", "ahead")
        assert promised(model, "stack", "ahead")
        assert promised(model, "stack", "behind")
    assert promised("kgraft", "syscall", "behind")
    assert not promised("hybrid", "syscall", "behind")


def test_what_did_not_complete_moved_nobody() -> None:
    comparison = compare([trial("kpatch", 2, 0, "threads", outcome="gave up")])
    assert comparison.rows[0].mixed == ()
    assert comparison.rows[0].crossed[0].gave_up == 1


def test_an_error_is_in_no_figure() -> None:
    good = measure(clean(), Verdict.PASS, "")
    bad = measure(under("hybrid", clean(), repeat=1), Verdict.ERROR, "the host was full")
    comparison = compare([good, bad])
    (row,) = comparison.rows
    assert (row.trials, row.errors, row.reasons) == (2, 1, ("the host was full",))
    assert row.crossed[0].seconds is not None
    assert row.crossed[0].seconds.count == 1
    assert not comparison.unmeasured
    assert compare([bad]).unmeasured


def test_every_row_has_a_cell_for_each_column() -> None:
    comparison = compare([measure(each, Verdict.PASS, "") for each in (stopping(), clean())])
    found = tables(comparison)
    assert len(found) >= 4
    for table in found:
        assert all(len(row) == len(table.columns) for row in table.rows), table.title
        assert markdown(table).count("\n|") == len(table.rows) + 2


def folder(path: Path, *recordings: object) -> Path:
    with RunFolder.create(path / "run") as run:
        for recording in recordings:
            write(run.trial(recording.id), recording)  # type: ignore[attr-defined]
    return path / "run"


def test_show_prints_the_tables_and_leaves_the_samples(tmp_path: Path) -> None:
    run = folder(tmp_path, counting(clean(), *MIXED), counting(stopping(), *STILL))
    result = CliRunner().invoke(app, ["show", str(run)])
    assert result.exit_code == 0, result.output
    for words in (
        "Transition time",
        "Where old and new code met",
        "2 of 102",
        "0 of 100, promised",
    ):
        assert words in result.output
    assert result.output.index("kpatch") < result.output.index("hybrid")
    document = json.loads((run / "comparison.json").read_text())
    assert len(document["trials"]) == 2
    rows = (run / "transitions.csv").read_text().splitlines()
    assert len(rows) == 5
    assert (run / "comparison.md").read_text().startswith("### Transition time")


def test_a_broken_promise_ends_with_one_and_is_named(tmp_path: Path) -> None:
    run = folder(tmp_path, counting(stopping(), *MIXED))
    result = CliRunner().invoke(app, ["show", str(run)])
    assert result.exit_code == 1
    assert "PROMISED NONE" in result.output
    assert "kpatch on 6.1.0-56-cloud-amd64: 2 in threads (ahead)" in result.output


def test_giving_up_is_a_result(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["show", str(folder(tmp_path, given_up()))])
    assert result.exit_code == 0, result.output
    assert "gave up" in result.output


def test_json_is_one_document(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["show", "--json", str(folder(tmp_path, clean()))])
    assert json.loads(result.stdout)["rows"][0]["model"] == "hybrid"


@pytest.mark.parametrize("made", [False, True], ids=["no run", "an empty run"])
def test_what_holds_no_trials_is_refused(made: bool, tmp_path: Path) -> None:
    path = folder(tmp_path) if made else tmp_path
    result = CliRunner().invoke(app, ["show", str(path)])
    assert result.exception is not None
    assert "no trials" in str(result.exception) or "not a run's folder" in str(result.exception)
