"""How a test program of the kernel's came out: what it says, and what the console says of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from checks_samples import CONSOLE, Tale, change, drop, insert, said

from lpharness.cases.model import Case, Expect
from lpharness.checks import Recording, judge, overall
from lpharness.checks.contract import Selftest
from lpharness.checks.rejudge import rejudge
from lpharness.checks.replay import load_recording, save_context
from lpharness.results.folder import RunFolder
from lpharness.results.model import CheckResult, TrialId, Verdict
from lpharness.timeline.events import (
    GuestEnded,
    Phase,
    SelftestEnded,
    SelftestSaid,
    Vitals,
)

SELFTEST = Selftest(collection="livepatch", program="test-x.sh", tests=("first", "second", "third"))
ALL_OK = (
    "TAP version 13",
    "1..1",
    "# selftests: livepatch: test-x.sh",
    "# TEST: first ... ok",
    "# TEST: second ... ok",
    "# TEST: third ... ok",
    "ok 1 selftests: livepatch: test-x.sh",
)
SECOND_FAILS = (
    *ALL_OK[:4],
    "# TEST: second ... not ok",
    "#",
    "# --- expected",
    "# +livepatch: something else",
    "# ERROR: livepatch kselftest(s) failed",
    "not ok 1 selftests: livepatch: test-x.sh # exit=1",
)


def ran(lines: Sequence[str] = ALL_OK) -> Recording:
    """Return the recording of a program that said some lines."""
    tale = Tale()
    tale.phase(0.5, Phase.BASELINE)
    tale.vitals(0.6, 0, ("virtio_net",))
    tale.phase(1, Phase.SELFTEST)
    for at, line in enumerate(lines):
        tale.add(1.1 + at / 100, SelftestSaid, line=line)
    tale.add(2, SelftestEnded, exit_status=0, seconds=1.0)
    tale.phase(3, Phase.AFTER)
    tale.vitals(3.1, 45056, ("virtio_net",))
    tale.phase(4, Phase.END)
    return Recording(
        id=TrialId(case=SELFTEST.name, kernel="6.1", workload="selftest"),
        case=Case(title="x", modules=(), expect=Expect()),
        functions=(),
        events=tale.events,
        console=CONSOLE,
        selftest=SELFTEST,
    )


def verdicts(recording: Recording) -> dict[str, Verdict]:
    return {result.check: result.verdict for result in judge(recording)}


def result_of(recording: Recording, check: str) -> CheckResult:
    return next(result for result in judge(recording) if result.check == check)


def test_all_is_well() -> None:
    assert verdicts(ran()) == {
        "kselftest": Verdict.PASS,
        "first": Verdict.PASS,
        "second": Verdict.PASS,
        "third": Verdict.PASS,
        "healthy": Verdict.PASS,
        "no_reboot": Verdict.PASS,
    }
    assert overall(judge(ran()), ran().case)[0] is Verdict.PASS


def test_a_failure_shows_what_differed_and_what_was_never_begun() -> None:
    recording = ran(SECOND_FAILS)
    found = verdicts(recording)
    assert [found[name] for name in ("first", "second", "third")] == [
        Verdict.PASS,
        Verdict.FAIL,
        Verdict.SKIP,
    ]
    assert found["kselftest"] is Verdict.FAIL
    assert "livepatch: something else" in result_of(recording, "second").evidence[0].seen
    assert "'second'" in result_of(recording, "third").summary


def test_a_skip_says_why() -> None:
    recording = ran(
        (
            *ALL_OK[:3],
            "# TEST: first ... SKIP: failed to set kernel.ftrace_enabled = 0",
            "ok 1 selftests: livepatch: test-x.sh # SKIP",
        )
    )
    for check in ("kselftest", "first", "second", "third"):
        result = result_of(recording, check)
        assert (result.verdict, result.summary) == (
            Verdict.SKIP,
            "failed to set kernel.ftrace_enabled = 0",
        )
    verdict, reason = overall(judge(recording), recording.case)
    assert (verdict, reason) == (Verdict.SKIP, "failed to set kernel.ftrace_enabled = 0")


def test_a_skip_for_want_of_a_command_is_the_harnesss_own_fault() -> None:
    recording = ran(
        (
            *ALL_OK[:3],
            "# ./functions.sh: line 86: sysctl: command not found",
            "# SKIP: failed to set kernel.ftrace_enabled = 1",
            "ok 1 selftests: livepatch: test-x.sh # SKIP",
        )
    )
    assert {verdicts(recording)[name] for name in ("kselftest", "first", "third")} == {
        Verdict.ERROR
    }


def test_a_warning_on_the_console_is_a_failure_though_ktap_says_ok() -> None:
    warned = said(
        ran(), "[   99.500000] WARNING: CPU: 0 PID: 1 at kernel/livepatch/core.c:1 f+0x1/"
    )
    assert verdicts(warned)["healthy"] is Verdict.FAIL
    assert verdicts(warned)["kselftest"] is Verdict.PASS


@pytest.mark.parametrize(
    "line",
    [
        '# TEST: first ... ERROR: Can\'t find "test_modules/x.ko", try "make"',
        "# ./functions.sh: line 3: getconf: command not found",
    ],
)
def test_what_the_harness_did_not_provide_is_no_failure(line: str) -> None:
    recording = ran((*ALL_OK[:3], line, "not ok 1 selftests: livepatch: test-x.sh # exit=1"))
    found = verdicts(recording)
    assert found["kselftest"] is Verdict.ERROR
    assert Verdict.FAIL not in found.values()


def test_a_program_that_could_not_be_started_is_no_failure() -> None:
    recording = ran((*ALL_OK[:3], "not ok 1 selftests: livepatch: test-x.sh # exit=125"))
    assert set(verdicts(recording).values()) == {Verdict.ERROR, Verdict.PASS}
    assert "could not be started" in result_of(recording, "kselftest").summary


def test_its_own_time_out_on_a_slow_machine_is_no_failure() -> None:
    recording = ran(
        (
            *ALL_OK[:4],
            "# TEST: second ... ",
            "not ok 1 selftests: livepatch: test-x.sh # TIMEOUT 45 seconds",
        )
    )
    found = verdicts(recording)
    assert found["kselftest"] is Verdict.ERROR
    assert Verdict.FAIL not in found.values()


def test_a_program_without_an_end_is_an_error() -> None:
    cut = change(ran(ALL_OK[:4]), SelftestEnded, exit_status=None, detail="no end within 9 s")
    found = verdicts(cut)
    assert (found["first"], found["second"]) == (Verdict.PASS, Verdict.ERROR)
    assert found["kselftest"] is Verdict.ERROR
    assert "no end within 9 s" in result_of(cut, "kselftest").summary


def test_a_kernel_that_dies_meanwhile_failed() -> None:
    dead = drop(ran(ALL_OK[:4]), SelftestEnded)
    dead = insert(dead, 2, GuestEnded, condition="panicked", detail="Oops")
    found = verdicts(dead)
    assert found["kselftest"] is Verdict.FAIL
    assert found["healthy"] is Verdict.FAIL


def test_no_verdict_passes_without_evidence() -> None:
    silent = drop(ran(), SelftestSaid)
    assert Verdict.PASS not in {verdicts(silent)[name] for name in ("kselftest", "first")}
    assert verdicts(drop(ran(), Vitals))["no_reboot"] is Verdict.ERROR
    assert verdicts(ran((*ALL_OK[:5], ALL_OK[6])))["third"] is Verdict.ERROR


def test_a_recording_is_judged_again_as_it_was(tmp_path: Path) -> None:
    recording = ran(SECOND_FAILS)
    with RunFolder.create(tmp_path / "run") as run:
        folder = run.trial(recording.id)
        trial = folder.begin(
            recording.id,
            Phase.BOOT,
            prepare=lambda path: save_context(path, recording.case, (), recording.selftest),
        )
        trial.checks = judge(recording)
        trial.verdict, trial.reason = overall(trial.checks, recording.case)
        trial.finished = True
        folder.write(trial)
        events = b"".join(msgspec.json.encode(event) + b"\n" for event in recording.events)
        folder.timeline_path.write_bytes(events)
        folder.console_path.write_text("\n".join(recording.console) + "\n")
        (again,) = rejudge(run.path)
        assert load_recording(folder.path).selftest == SELFTEST
    assert again.checks == trial.checks
    assert (again.verdict, again.reason) == (trial.verdict, trial.reason)


RECORDED = Path(__file__).parent.parent / "recordings" / "selftests" / "test-state"


def test_one_that_was_recorded_is_judged_as_it_was_then() -> None:
    """Its last test makes the kernel refuse a livepatch, which is no fault of the console."""
    (again,) = rejudge(RECORDED)
    assert again.verdict is Verdict.PASS
    assert {result.check: result.verdict for result in again.checks} == {
        "kselftest": Verdict.PASS,
        "system state modification": Verdict.PASS,
        "taking over system state modification": Verdict.PASS,
        "compatible cumulative livepatches": Verdict.PASS,
        "incompatible cumulative livepatches": Verdict.PASS,
        "healthy": Verdict.PASS,
        "no_reboot": Verdict.PASS,
    }
    healthy = next(result for result in again.checks if result.check == "healthy")
    assert any("the case expects it" in evidence.seen for evidence in healthy.evidence)


@pytest.mark.parametrize("kind", [SelftestSaid, SelftestEnded, Vitals])
def test_none_of_its_evidence_can_be_done_without(kind: type) -> None:
    less = drop(load_recording(RECORDED), kind)
    assert overall(judge(less), less.case)[0] in (Verdict.FAIL, Verdict.ERROR)
