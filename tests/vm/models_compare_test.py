"""Consistency models side by side in real guests: promises are kept, what is not promised shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from asked_for import long_only
from typer.testing import CliRunner

from lpharness.base.errors import HostError, InputError
from lpharness.cli.models import app
from lpharness.comparison import Comparison, compare, read_run
from lpharness.comparison.measured import Measured
from lpharness.comparison.promises import ORDER
from lpharness.comparison.summary import Row

OLD, NEW = "debian:6.1-cloud", "debian:6.12-cloud"
LONG = long_only("five models on two kernels take minutes")


def compared(folder: Path, *words: str) -> Comparison:
    """Compare models on the case that counts mixing; every promise must be kept."""
    result = CliRunner().invoke(app, ["compare", "contract", "-o", str(folder), *words])
    if isinstance(result.exception, HostError):
        pytest.skip(f"no kernel, compiler or QEMU: {result.exception}")
    comparison = compare(read_run(folder))
    assert result.exit_code == 0, result.output
    assert comparison.broken == []
    assert "Where old and new code met" in result.output
    return comparison


def counted(row: Row, place: str, meeting: str) -> int:
    return sum(m.counted for m in row.mixed if (m.place, m.meeting) == (place, meeting))


def expect_all_measured(row: Row) -> None:
    assert (row.errors, row.reasons) == (0, ())
    assert all(crossed.completed == row.trials for crossed in row.crossed), row
    assert all(crossed.seconds and crossed.whole for crossed in row.crossed)
    assert all(mixed.tokens > 20 for mixed in row.mixed)
    assert row.before
    assert row.after
    assert row.noise
    assert all(crossed.standing and not crossed.standing.lost for crossed in row.crossed)
    by_stage = {cost.stage: cost for cost in row.costs}
    assert {"before", "patched", "after"} <= set(by_stage)
    # A handler of ftrace's costs a multiple of an empty function, whoever runs the guest.
    assert (by_stage["patched"].ratio or 0) > 2 * (by_stage["before"].ratio or 0), row.costs
    assert (by_stage["after"].ratio or 9) < 3


def expect_stops_seen(trial: Measured) -> None:
    """A stop that the model tells of lies within a gap of the heartbeats, if it was long enough."""
    assert trial.beating
    for stop in (stop for crossing in trial.crossings for stop in crossing.stops):
        if stop.seconds >= trial.beating.kept_s:
            assert stop.felt_s is not None
            assert stop.felt_s >= stop.seconds


def test_two_models_are_measured_and_keep_their_promises(tmp_path: Path) -> None:
    comparison = compared(tmp_path / "run", "-k", OLD, "-m", "hybrid", "-m", "kpatch")
    kpatch, hybrid = comparison.rows
    assert (kpatch.model, hybrid.model) == ("kpatch", "hybrid")
    for row in comparison.rows:
        expect_all_measured(row)
    assert all(crossed.stops and crossed.looks and crossed.last for crossed in kpatch.crossed)
    for trial in comparison.trials:
        expect_stops_seen(trial)
    assert any(crossed.kinds for crossed in hybrid.crossed)


@LONG
@pytest.mark.parametrize("kernel", [OLD, NEW])
def test_all_models_mix_just_where_they_do_not_promise(kernel: str, tmp_path: Path) -> None:
    comparison = compared(tmp_path / "run", "-k", kernel, "--repeat", "3")
    rows = {row.model: row for row in comparison.rows}
    assert tuple(rows) == ORDER
    for row in rows.values():
        expect_all_measured(row)
    for place in ("stack", "syscall", "task", "kthread", "interrupt", "threads"):
        assert counted(rows["immediate"], place, "ahead") > 0, place
    for model in ("kgraft", "hybrid"):
        places = ("threads", "interrupts")
        assert sum(counted(rows[model], place, "ahead") for place in places) > 0, model


@pytest.mark.parametrize(
    ("case", "words", "says"),
    [
        ("no-such-case", ("-k", OLD), "no-such-case"),
        ("contract", ("-k", OLD, "-m", "magic"), "no model 'magic'"),
        ("contract", ("-k", OLD, "-w", "proc-reader"), "proc-reader"),
        ("module-function", ("-k", OLD), "cannot be compared"),
        ("atomic-replace", ("-k", OLD), "takes one at a time"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_boots(
    case: str, words: tuple[str, ...], says: str, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    result = CliRunner().invoke(app, ["compare", case, "-o", str(folder), *words])
    assert isinstance(result.exception, InputError)
    assert says in str(result.exception)
    assert not folder.exists()
