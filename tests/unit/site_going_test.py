from pathlib import Path

import pytest
from results_samples import passing

from lpharness.base.errors import InputError
from lpharness.results.folder import RunFolder
from lpharness.results.model import TrialId
from lpharness.site.going import Watched

ID = TrialId(case="cmdline", kernel="6.1.0-56-cloud-amd64", workload="syscall-hammer")


def _states(watched: Watched) -> list[tuple[str, str]]:
    return [(one.state, one.words) for _, one in watched.look()[1]]


def test_a_trial_goes_through_its_phases_to_a_verdict(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path / "run") as run:
        watched = Watched(tmp_path / "run")
        assert watched.look() == (True, [])
        trial = run.trial(ID).begin(ID, "boot")
        assert _states(watched) == [("running", "boot")]
        run.trial(ID).enter(trial, "steady")
        assert _states(watched) == [("running", "steady")]
        run.trial(ID).write(passing()[0])
        assert [state for state, _ in _states(watched)] == ["pass"]


def test_what_nobody_goes_on_with_is_interrupted(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path / "run") as run:
        run.trial(ID).begin(ID, "transition")
    watched = Watched(tmp_path / "run")
    assert watched.look()[0] is False
    assert _states(watched) == [("interrupted", "transition")]


def test_a_document_that_cannot_be_read_keeps_what_it_told(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path / "run") as run:
        run.trial(ID).begin(ID, "boot")
        watched = Watched(tmp_path / "run")
        assert _states(watched) == [("running", "boot")]
        run.trial(ID).document_path.write_text("{")
        assert _states(watched) == [("running", "boot")]


def test_a_folder_that_is_no_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a run's folder"):
        Watched(tmp_path)
