"""The kernel's own tests in real guests, and what must be caught though they say that all is ok."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import msgspec
import pytest
from cli_support import complaint, lpharness

from lpharness.base.errors import HostError
from lpharness.checks.selftest import WHOLE
from lpharness.guests import backend
from lpharness.results.folder import RunFolder
from lpharness.results.model import Trial, Verdict
from lpharness.selftest.run import Request, plan_selftests
from lpharness.selftest.runner import SelftestPlan, run_selftest

KERNEL = "debian:6.1-cloud"
SHADOW = "basic shadow variable API"
LAST_LINE = "\nexit 0\n"


@pytest.fixture(scope="module")
def shadow() -> SelftestPlan:
    try:
        (plan,) = plan_selftests(Request(kernels=(KERNEL,), patterns=("shadow-vars",)))
    except HostError as error:
        pytest.skip(f"cannot be prepared: {error}")
    assert isinstance(plan, SelftestPlan)
    return plan


def with_script(plan: SelftestPlan, folder: Path, old: str, new: str) -> SelftestPlan:
    """Return a plan whose script is another in one place."""
    made = folder / "tests.tar"
    with tarfile.open(plan.bundle.archive) as source, tarfile.open(made, "w") as target:
        for member in source:
            file = source.extractfile(member)
            assert file is not None
            content = file.read()
            if member.name.endswith(plan.selftest.program):
                assert content.count(old.encode()) == 1
                content = content.replace(old.encode(), new.encode())
            member.size = len(content)
            target.addfile(member, io.BytesIO(content))
    return msgspec.structs.replace(plan, bundle=msgspec.structs.replace(plan.bundle, archive=made))


def tried(plan: SelftestPlan, folder: Path) -> Trial:
    with RunFolder.create(folder / "run") as run:
        return run_selftest(plan, backend("qemu"), run.trial(plan.id))


def verdict_of(trial: Trial, check: str) -> Verdict:
    return next(result.verdict for result in trial.checks if result.check == check)


def test_the_command_as_it_is_typed(shadow: SelftestPlan, tmp_path: Path) -> None:
    words = ("-k", KERNEL, "-o", "out", "--store", "s.sqlite", "--json")
    done = lpharness("selftest", "shadow-vars", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (trial,) = json.loads(done.stdout)["trials"]
    assert {check["check"]: check["verdict"] for check in trial["checks"]} == {
        WHOLE: "pass",
        SHADOW: "pass",
        "healthy": "pass",
        "no_reboot": "pass",
    }
    assert f"pass  livepatch:test-shadow-vars.sh: {SHADOW}" in done.stderr
    assert "test_klp_shadow_vars" in trial["provenance"]["modules"]
    for report in ("report.html", "junit.xml", "report.ktap"):
        assert "basic shadow variable" in (tmp_path / "out" / report).read_text()
    again = lpharness("judge", "out", "--json", cwd=tmp_path)
    assert json.loads(again.stdout)["trials"][0]["checks"] == trial["checks"]
    kept = lpharness("store", "info", "--store", "s.sqlite", "--json", cwd=tmp_path)
    assert [run["verdicts"] for run in json.loads(kept.stdout)["runs"]] == [{"pass": 1}]


def test_a_warning_that_the_test_does_not_mind_is_a_failure(
    shadow: SelftestPlan, tmp_path: Path
) -> None:
    warning = "WARNING: CPU: 0 PID: 1 at kernel/planted.c:1 planted+0x1/0x2"
    line = f'\necho "<4>{warning}" > /dev/kmsg{LAST_LINE}'
    trial = tried(with_script(shadow, tmp_path, LAST_LINE, line), tmp_path)
    assert (verdict_of(trial, WHOLE), verdict_of(trial, SHADOW)) == (Verdict.PASS, Verdict.PASS)
    assert verdict_of(trial, "healthy") is Verdict.FAIL
    assert trial.verdict is Verdict.FAIL


def test_what_differs_from_what_a_test_expects_is_shown(
    shadow: SelftestPlan, tmp_path: Path
) -> None:
    wanted = 'check_result "% modprobe $MOD_TEST'
    trial = tried(with_script(shadow, tmp_path, wanted, f"{wanted}\nplanted: a line"), tmp_path)
    result = next(result for result in trial.checks if result.check == SHADOW)
    assert (trial.verdict, result.verdict) == (Verdict.FAIL, Verdict.FAIL)
    assert "-planted: a line" in result.evidence[0].seen


def test_a_crash_in_a_test_is_the_kernels(shadow: SelftestPlan, tmp_path: Path) -> None:
    crash = f"\necho c > /proc/sysrq-trigger{LAST_LINE}"
    trial = tried(with_script(shadow, tmp_path, LAST_LINE, crash), tmp_path)
    assert verdict_of(trial, WHOLE) is Verdict.FAIL
    assert verdict_of(trial, "healthy") is Verdict.FAIL
    assert trial.verdict is Verdict.FAIL


def test_a_program_that_never_ends_is_nobodys_fault(shadow: SelftestPlan, tmp_path: Path) -> None:
    plan = with_script(shadow, tmp_path, LAST_LINE, f"\nsleep 3600{LAST_LINE}")
    trial = tried(msgspec.structs.replace(plan, timeout_s=2.0), tmp_path)
    assert trial.verdict is Verdict.ERROR
    assert "no end within" in trial.reason


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    unknown = lpharness("selftest", "shadow-vasr", "-k", KERNEL, cwd=tmp_path)
    assert "did you mean 'test-shadow-vars.sh'" in complaint(unknown, 2)
    twice = lpharness("selftest", "-k", KERNEL, "-k", KERNEL, cwd=tmp_path)
    assert "named twice" in complaint(twice, 2)
    assert not (tmp_path / "results").exists()
