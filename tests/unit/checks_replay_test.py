"""A trial's folder read back: the live path and the replay come to the same verdicts."""

import json
from pathlib import Path

import msgspec
import pytest
from checks_flaw_test import trial as flawed
from checks_samples import change, clean, drop
from typer.testing import CliRunner

from lpharness.base.errors import InputError
from lpharness.checks import Recording, judge, overall
from lpharness.checks.rejudge import rejudge
from lpharness.checks.replay import load_recording, save_context
from lpharness.cli.judge import app
from lpharness.results.folder import RunFolder, TrialFolder
from lpharness.results.model import CheckResult, Trial, Verdict
from lpharness.timeline.events import Probed, WorkloadSample


def write(folder: TrialFolder, recording: Recording, **document: object) -> None:
    """Write what a trial leaves, but for its case."""
    verdict, reason = overall(judge(recording), recording.case)
    trial = Trial(id=recording.id, verdict=verdict, reason=reason, finished=True)
    folder.write(msgspec.structs.replace(trial, **document))
    record(folder, recording)
    if recording.control is not None:
        record(folder.control, recording.control)
    save_context(folder.path, recording.case, recording.functions)


def record(folder: TrialFolder, recording: Recording) -> None:
    folder.path.mkdir(exist_ok=True)
    lines = [msgspec.json.encode(event) + b"\n" for event in recording.events]
    folder.timeline_path.write_bytes(b"".join(lines))
    folder.console_path.write_text("\r\n".join(recording.console) + "\r\n")


@pytest.fixture
def run(tmp_path: Path):
    with RunFolder.create(tmp_path / "run") as folder:
        yield folder


def trial_of(run: RunFolder, recording: Recording, **document: object) -> TrialFolder:
    folder = run.trial(recording.id)
    write(folder, recording, **document)
    return folder


def test_a_recording_comes_back_as_it_was(run: RunFolder) -> None:
    recording = clean(stall=True)
    back = load_recording(trial_of(run, recording).path)
    assert judge(back) == judge(recording)
    assert (back.case, back.functions, back.accelerator) == (
        recording.case,
        recording.functions,
        "tcg",
    )
    assert list(back.console) == list(recording.console)


def test_the_cases_folder_on_this_machine_is_not_kept(run: RunFolder, tmp_path: Path) -> None:
    recording = clean()
    placed = msgspec.structs.replace(recording.case, folder=tmp_path)
    folder = trial_of(run, msgspec.structs.replace(recording, case=placed))
    assert str(tmp_path) not in (folder.path / "case.json").read_text()
    assert load_recording(folder.path).case.folder is None


def test_an_old_verdict_is_corrected_by_todays_checks(run: RunFolder) -> None:
    broken = change(clean(), Probed, stdout="patched")
    trial_of(run, broken, verdict=Verdict.PASS, reason="as an older check saw it")
    (trial,) = rejudge(run.path)
    assert trial.verdict is Verdict.FAIL
    assert "probe shown" in trial.reason


def test_the_harness_own_trouble_is_kept(run: RunFolder) -> None:
    trouble = CheckResult(check="harness", verdict=Verdict.ERROR, summary="the channel broke")
    trial_of(run, clean(), checks=(trouble,))
    (trial,) = rejudge(run.path)
    assert (trial.verdict, trial.reason) == (Verdict.ERROR, "harness: the channel broke")


def test_a_trial_that_was_killed_is_an_error_and_says_why(run: RunFolder) -> None:
    folder = trial_of(run, clean())
    (folder.path / "case.json").unlink()
    with pytest.raises(InputError, match=r"cannot read .*case\.json"):
        load_recording(folder.path)
    (trial,) = rejudge(run.path)
    assert trial.verdict is Verdict.ERROR


def test_a_torn_timeline_is_judged_as_far_as_it_goes(run: RunFolder) -> None:
    folder = trial_of(run, clean())
    data = folder.timeline_path.read_bytes()
    folder.timeline_path.write_bytes(data[: len(data) // 2])
    (trial,) = rejudge(run.path)
    assert trial.verdict is Verdict.ERROR


def test_a_skipped_trial_stays_skipped(run: RunFolder) -> None:
    run.trial(clean().id).write(Trial(id=clean().id, verdict=Verdict.SKIP, reason="not meant"))
    (trial,) = rejudge(run.path)
    assert trial.verdict is Verdict.SKIP


def test_a_module_that_was_refused_stays_refused(run: RunFolder) -> None:
    """Nothing was booted for it, so there is nothing to judge again."""
    recording = clean()
    refused = CheckResult(check="inspection", verdict=Verdict.FAIL, summary="no such symbol")
    folder = run.trial(recording.id)
    trial = folder.begin(recording.id, "build")
    folder.write(
        msgspec.structs.replace(
            trial, verdict=Verdict.FAIL, reason="no such symbol", checks=(refused,), finished=True
        )
    )
    (again,) = rejudge(run.path)
    assert (again.verdict, again.reason) == (Verdict.FAIL, "no such symbol")


@pytest.mark.parametrize("at", [0.0, 0.3, 0.6, 0.9])
def test_an_interrupted_trial_is_no_pass_and_no_invented_fail(run: RunFolder, at: float) -> None:
    """What was seen until a kill is judged; what was not seen is nobody's fault."""
    recording = clean()
    events = list(recording.events)
    seen = msgspec.structs.replace(recording, events=events[: int(len(events) * at)])
    trial_of(run, seen, finished=False, verdict=Verdict.ERROR, reason="interrupted in phase load")
    (again,) = rejudge(run.path)
    assert again.verdict is Verdict.ERROR
    assert [check.summary for check in again.checks if check.verdict is Verdict.FAIL] == []
    assert again.reason == "harness: interrupted in phase load"


@pytest.mark.parametrize("text", [b"", b"{", b'{"case": 3}', b"\xff"])
def test_a_broken_case_is_refused_by_name(run: RunFolder, text: bytes) -> None:
    folder = trial_of(run, clean())
    (folder.path / "case.json").write_bytes(text)
    with pytest.raises(InputError, match=r"case\.json"):
        load_recording(folder.path)


def test_an_empty_run_is_refused(run: RunFolder) -> None:
    with pytest.raises(InputError, match="holds no trial"):
        rejudge(run.path)


# --- the command ---------------------------------------------------------------------------


def test_judge_says_the_verdicts_and_exits_by_them(run: RunFolder) -> None:
    folder = trial_of(run, clean())
    told = CliRunner().invoke(app, [str(run.path)])
    assert told.exit_code == 0, told.output
    assert "pass" in told.output
    assert CliRunner().invoke(app, [str(folder.path)]).exit_code == 0
    write(folder, change(clean(), Probed, stdout="patched"))
    told = CliRunner().invoke(app, [str(run.path), "--evidence"])
    assert told.exit_code == 1
    assert "- probe shown in baseline" in told.output
    write(folder, drop(clean(), WorkloadSample))
    assert CliRunner().invoke(app, [str(run.path)]).exit_code == 3


def test_judge_prints_one_document(run: RunFolder) -> None:
    trial_of(run, clean())
    told = CliRunner().invoke(app, [str(run.path), "--json"])
    (trial,) = json.loads(told.stdout)["trials"]
    assert trial["verdict"] == "pass"
    assert len(trial["checks"]) == 9


def test_judge_writes_nothing(run: RunFolder) -> None:
    folder = trial_of(run, clean(), reason="untouched")
    before = {path: path.read_bytes() for path in folder.path.iterdir()}
    CliRunner().invoke(app, [str(run.path)])
    assert {path: path.read_bytes() for path in folder.path.iterdir()} == before


def test_judge_of_no_run_is_bad_input(tmp_path: Path) -> None:
    told = CliRunner().invoke(app, [str(tmp_path)])
    assert isinstance(told.exception, InputError)


def test_the_guest_without_the_patch_is_judged_again_too(run: RunFolder) -> None:
    recording = flawed()
    folder = trial_of(run, recording)
    (trial,) = rejudge(run.path)
    assert trial.verdict is Verdict.PASS
    assert trial.checks[0].check == "flaw"
    folder.control.console_path.write_text("")
    (trial,) = rejudge(run.path)
    assert (trial.verdict, trial.reason[:5]) == (Verdict.ERROR, "flaw:")
