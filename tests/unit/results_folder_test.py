import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpharness.base.errors import InputError
from lpharness.results.folder import RunFolder, default_run_path
from lpharness.results.model import Provenance, TrialId, Verdict

ID = TrialId(case="cmdline", kernel="6.1.0-56-cloud-amd64", workload="idle")


def test_the_first_document_already_tells_of_an_interruption(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path / "run") as run:
        run.trial(ID).begin(ID, "boot", Provenance(seed=7))
    (trial,) = RunFolder.open(tmp_path / "run").trials()
    assert trial.verdict is Verdict.ERROR
    assert not trial.finished
    assert trial.reason == "interrupted in phase boot"
    assert trial.provenance.seed == 7
    assert trial.started_at.endswith("+00:00")


def test_what_the_judge_needs_is_there_before_the_document(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path / "run") as run:
        folder = run.trial(ID)
        folder.begin(ID, "boot")

        def prepare(path: Path) -> None:
            assert list(path.iterdir()) == []  # neither this trial's document nor an earlier one
            (path / "case.json").touch()

        folder.begin(ID, "boot", prepare=prepare)
        assert (folder.path / "case.json").exists()
        assert folder.document_path.exists()


def test_a_kill_leaves_what_was_known_and_frees_the_folder(tmp_path: Path) -> None:
    path = tmp_path / "run"
    code = (
        "import sys,time\n"
        "from pathlib import Path\n"
        "from lpharness.results.folder import RunFolder\n"
        "from lpharness.results.model import TrialId\n"
        "run = RunFolder.create(Path(sys.argv[1]))\n"
        "id = TrialId(case='cmdline', kernel='k', workload='idle')\n"
        "folder = run.trial(id)\n"
        "trial = folder.begin(id, 'boot')\n"
        "folder.enter(trial, 'transition')\n"
        "print('ready', flush=True)\n"
        "time.sleep(600)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        with pytest.raises(InputError, match=rf"another run writes to .* \(pid {child.pid}\)"):
            RunFolder.create(path)
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.communicate()
    with RunFolder.create(path) as run:
        (trial,) = run.trials()
    assert trial.reason == "interrupted in phase transition"


def test_a_reader_needs_no_lock(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path / "run") as run:
        run.trial(ID).begin(ID, "boot")
        assert len(RunFolder.open(tmp_path / "run").trials()) == 1


def test_closing_twice_is_fine_and_lets_the_next_run_in(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path)
    run.close()
    run.close()
    RunFolder.create(tmp_path).close()


def test_a_later_run_replaces_a_trial_and_keeps_the_others(tmp_path: Path) -> None:
    other = TrialId(case="cmdline", kernel="6.12.117-cloud-amd64", workload="idle")
    with RunFolder.create(tmp_path) as run:
        for id_ in (ID, other):
            folder = run.trial(id_)
            folder.begin(id_, "boot")
            folder.console_path.write_text("old\n")
    with RunFolder.create(tmp_path) as run:
        folder = run.trial(ID)
        trial = folder.begin(ID, "build")
        assert list(folder.console()) == []
        trial.verdict, trial.reason, trial.finished = Verdict.PASS, "all well", True
        folder.write(trial)
        assert {t.id.kernel: t.verdict for t in run.trials()} == {
            ID.kernel: Verdict.PASS,
            other.kernel: Verdict.ERROR,
        }
        assert list(run.trial(other).console()) == ["old"]


def test_a_folder_with_other_things_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(InputError, match=r"no run's folder: it holds 'thesis\.tex'"):
        RunFolder.create(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").touch()
    with pytest.raises(InputError, match="is not a folder"):
        RunFolder.create(tmp_path / "run")


@pytest.mark.parametrize("name", ["", "nothing"])
def test_opening_something_else_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"not a run's folder: it has no run\.json"):
        RunFolder.open(tmp_path / name)


def test_what_a_dead_writer_left_aside_is_swept(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path) as run:
        run.trial(ID).begin(ID, "boot")
    leftovers = [tmp_path / ".lpharness-tmp-a", run.trial(ID).path / ".lpharness-tmp-b"]
    for leftover in leftovers:
        leftover.touch()
    RunFolder.create(tmp_path).close()
    assert not any(leftover.exists() for leftover in leftovers)


def test_default_path_is_new_and_latest_points_at_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with RunFolder.create() as first, RunFolder.create() as second:
        assert first.path.parent == second.path.parent == tmp_path / "results"
        assert first.path != second.path
        assert (tmp_path / "results/latest").resolve() == second.path


def test_two_runs_in_one_second_get_two_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "strftime", lambda _: "run-20260101-000000")
    first = default_run_path(tmp_path)
    first.mkdir(parents=True)
    assert default_run_path(tmp_path).name == "run-20260101-000000-2"


def test_latest_that_is_a_folder_of_the_users_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "results/latest").mkdir(parents=True)
    RunFolder.create(default_run_path(tmp_path)).close()
    assert (tmp_path / "results/latest").is_dir()
    assert not (tmp_path / "results/latest").is_symlink()


@given(st.text(), st.text(), st.text())
def test_any_names_stay_in_the_folder(case: str, kernel: str, workload: str) -> None:
    run = RunFolder(Path("/nowhere/run"))
    path = run.trial(TrialId(case=case, kernel=kernel, workload=workload)).path
    assert path.parent == Path("/nowhere/run/trials")
    assert path.name not in ("", ".", "..")
    assert len(os.fsencode(path.name)) < 240


def test_names_that_differ_get_folders_that_differ() -> None:
    run = RunFolder(Path("/nowhere"))
    names = ["a b", "a_b", "a\tb", "x" * 300, "x" * 301, "../../x"]
    paths = {run.trial(TrialId(case=name, kernel="k", workload="w")).path for name in names}
    assert len(paths) == len(names)


def test_a_trial_folder_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path / "run") as run:
        run.trial(ID).path.symlink_to(tmp_path)
        with pytest.raises(InputError, match="is a symbolic link"):
            run.trial(ID)


def _documented(tmp_path: Path) -> Path:
    with RunFolder.create(tmp_path) as run:
        run.trial(ID).begin(ID, "boot")
        return run.trial(ID).document_path


@pytest.mark.parametrize("name", ["../../../etc/passwd", "/etc/passwd", "..", ""])
def test_a_document_that_names_a_file_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    path = _documented(tmp_path)
    path.write_text(path.read_text().replace('"console.log"', f'"{name}"'))
    with pytest.raises(InputError, match="climbs out"):
        RunFolder.open(tmp_path).trials()


def test_a_document_of_a_newer_schema_is_named_as_such(tmp_path: Path) -> None:
    path = _documented(tmp_path)
    path.write_text('{"schema": 99, "verdicts": []}')
    with pytest.raises(InputError, match="schema 99 is newer"):
        RunFolder.open(tmp_path).trials()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 1}', '{"schema": "x"}', "\xff"])
def test_a_broken_document_is_an_input_error(tmp_path: Path, text: str) -> None:
    path = _documented(tmp_path)
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"trial\.json: not a trial's document"):
        RunFolder.open(tmp_path).trials()


def test_console_lines_are_numbered_by_line_feeds_alone(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path) as run:
        folder = run.trial(ID)
        folder.begin(ID, "boot")
        folder.console_path.write_bytes(b"one\r\nt\x0bw\x85o\xff\nthree")
        assert list(folder.console()) == ["one", "t\x0bw\ufffdo\ufffd", "three"]


def test_a_path_that_is_no_utf8_does_not_cost_the_document(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path) as run:
        run.trial(ID).begin(ID, "boot", Provenance(command_line="qemu -kernel /tmp/\udcff"))
        (trial,) = run.trials()
    assert trial.provenance.command_line == "qemu -kernel /tmp/?"
