"""``lpharness store``, ``history`` and ``export``."""

import json
from pathlib import Path

import pytest
import results_samples as samples
from sqlalchemy import text
from typer.testing import CliRunner, Result

from lpharness.base.errors import InputError
from lpharness.bench.made_up import Shape, fill
from lpharness.cli.main import app
from lpharness.cli.storing import storing
from lpharness.store import open_store
from lpharness.store.trials import find


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "store.sqlite"
    monkeypatch.setenv("LPHARNESS_STORE", str(path))
    return path


def lpharness(*words: object) -> Result:
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_a_run_is_added_named_and_shown(store: Path, tmp_path: Path) -> None:
    run = samples.write_all(tmp_path / "run").path
    count = len(samples.SAMPLES)
    said = lpharness("store", "add", run, "--tag", "v12").output
    assert said == f"run: {count} added, 0 renewed, 0 there already\n"
    again = json.loads(lpharness("store", "add", run, "--json").output)
    assert again["runs"][0]["unchanged"] == count
    told = json.loads(lpharness("store", "info", "--json").output)
    assert (told["store"], told["runs"][0]["tags"]) == (str(store), ["v12"])
    shown = lpharness("store", "info").output
    assert "v12" in shown
    assert f"{count} trials of 1 runs" in shown


def test_a_folder_that_is_no_run_makes_no_store(store: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a run's folder"):
        lpharness("store", "add", tmp_path)
    assert not store.exists()


def test_a_release_is_named_and_unnamed(store: Path) -> None:
    with open_store(create=True) as opened:
        fill(opened, 8, shape=Shape(cases=2, kernels=1, workloads=1, repeats=2))
    assert lpharness("store", "tag", "stable", "v1").output == "stable: 1 runs\n"
    assert lpharness("store", "tag", "stable", "--delete").output == "stable: taken from 1 runs\n"
    with pytest.raises(InputError, match="no run is tagged 'stable'"):
        lpharness("store", "tag", "stable", "--delete")


def test_history_tells_lines_and_trends(store: Path) -> None:
    with open_store(create=True) as opened:
        fill(opened, 80, shape=Shape(cases=2, kernels=2, workloads=1, repeats=2, failing=0.4))
    told = json.loads(lpharness("history", "made-up-01", "--json").output)
    assert {line["line"]["case"] for line in told["lines"]} == {"made-up-01"}
    assert "made-up-02 on debian:6.1-amd64" in lpharness("history", "--flaky").output
    trend = lpharness("history", "made-up-01", "-k", "debian:6.1-cloud", "--of", "transition")
    assert "transition patching of made-up-01 on debian:6.1-cloud with idle" in trend.output
    with pytest.raises(InputError, match="knows no such trial"):
        lpharness("history", "nothing")


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_export_writes_a_file(store: Path, tmp_path: Path, form: str) -> None:
    if form == "parquet":
        pytest.importorskip("pyarrow")
    with open_store(create=True) as opened:
        fill(opened, 8, shape=Shape(cases=2, kernels=1, workloads=1, repeats=2))
    output = tmp_path / "trials"
    assert lpharness("export", "--format", form, "-o", output, "--run", "v1").output == (
        f"{output}: 4 trials\n"
    )
    assert output.stat().st_size > 100


def test_export_says_what_it_needs(store: Path) -> None:
    with pytest.raises(InputError, match="what to write is not said"):
        lpharness("export")


def test_a_runs_trials_go_into_the_store_as_they_come(store: Path, tmp_path: Path) -> None:
    run = samples.write_all(tmp_path / "run")
    with storing(None) as stored:
        stored.folder = run
        for number, trial in enumerate(run.trials(), 1):
            stored.add(trial)
            with open_store() as opened:
                assert len(find(opened)) == number
        assert stored.complete(whole=False)


def test_a_store_that_fails_does_not_end_the_run(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = samples.write_all(tmp_path / "run")
    with storing(None) as stored:
        stored.folder = run
        with open_store() as opened, opened.writing() as session:
            session.execute(text("DROP TABLE documents"))
        for trial in run.trials():
            stored.add(trial)
        assert not stored.complete(whole=False)
    said = capsys.readouterr().err
    assert "not all is in the store: cannot write the store" in said
    assert f"hint: lpharness store add {run.path}" in said
    with open_store() as opened:
        assert find(opened) == []


def test_without_a_store_a_run_goes_on_as_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LPHARNESS_STORE", raising=False)
    with storing(None) as stored:
        stored.folder = samples.write_all(tmp_path / "run")
        stored.add(samples.passing()[0])
        assert stored.complete(whole=True)
