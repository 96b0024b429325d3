"""The case's own steps: a failed one proves nothing; a drive that the patch broke is its fault."""

import pytest
from checks_samples import assert_verdict, case, clean, insert

from lpharness.cases.model import Action, Drive, Target
from lpharness.checks import Recording, overall
from lpharness.checks.steps import takes_steps
from lpharness.results.model import CheckResult, Verdict
from lpharness.timeline.events import ActionTaken

BASELINE, STEADY = 0.5, 3.0


def taken(
    recording: Recording, at: float, action: str, status: int, **more: int | None
) -> Recording:
    return insert(recording, at, ActionTaken, action=action, exit_status=status, **more)


@pytest.mark.parametrize(
    ("action", "status", "wanted", "verdict"),
    [
        ("setup: mkdir /run/x", 0, 0, Verdict.PASS),
        ("setup: mkdir /run/x", 1, 0, Verdict.ERROR),
        ("action: kill 1234567", 1, 1, Verdict.PASS),
        ("action: kill 1234567", 0, 1, Verdict.ERROR),
        ("load target sctp", 1, 0, Verdict.ERROR),
        ("cleanup: umount /mnt", 32, 0, Verdict.ERROR),
    ],
)
def test_a_step_must_end_as_it_is_meant_to(
    action: str, status: int, wanted: int, verdict: Verdict
) -> None:
    recording = taken(clean(), STEADY, action, status, wanted=wanted)
    words = "" if verdict is Verdict.PASS else f"exit status {status}, not {wanted}"
    assert_verdict("steps", recording, verdict, words)


def test_a_step_whose_end_does_not_matter_proves_nothing() -> None:
    recording = taken(clean(), STEADY, "action: true", 3, wanted=None)
    assert_verdict("steps", recording, Verdict.ERROR, "nothing was seen")


def test_a_drive_that_worked_before_the_patch_must_work_with_it() -> None:
    recording = taken(taken(clean(), BASELINE, "drive", 0), STEADY, "drive", 5)
    assert_verdict("steps", recording, Verdict.FAIL, ": exit status 5")


def test_a_target_that_the_patch_keeps_out_is_the_patch() -> None:
    action = "load target dummy"
    recording = taken(taken(clean(), BASELINE, action, 0), STEADY, action, 1)
    assert_verdict("steps", recording, Verdict.FAIL, f"{action} in")


def test_a_drive_that_never_worked_is_not_the_patch() -> None:
    recording = taken(taken(clean(), BASELINE, "drive", 5), STEADY, "drive", 5)
    assert_verdict("steps", recording, Verdict.ERROR, ": exit status 5")


@pytest.mark.parametrize(
    "steps",
    [
        {"setup": ("true",)},
        {"cleanup": ("true",)},
        {"actions": (Action(phase="steady", run="true"),)},
        {"target": Target(modules=("sctp",))},
        {"drive": Drive(run="true")},
    ],
)
def test_only_a_case_with_steps_is_asked(steps: dict[str, object]) -> None:
    assert takes_steps(case(**steps))
    assert not takes_steps(case())


@pytest.mark.parametrize(
    ("healthy", "says"), [(Verdict.FAIL, "healthy: oops"), (Verdict.PASS, "steps: drive")]
)
def test_what_the_kernel_says_tells_more_than_the_drive_that_died_of_it(
    healthy: Verdict, says: str
) -> None:
    steps = CheckResult(check="steps", verdict=Verdict.FAIL, summary="drive: exit status 137")
    console = CheckResult(check="healthy", verdict=healthy, summary="oops")
    verdict, reason = overall((steps, console), case())
    assert verdict is Verdict.FAIL
    assert reason.startswith(says)
