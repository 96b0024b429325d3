"""All checks, and the one verdict that they come to."""

from __future__ import annotations

from collections.abc import Sequence

from lpharness.cases.model import Case
from lpharness.checks.consistent import check_consistent
from lpharness.checks.contract import Check, Recording
from lpharness.checks.flaw import check_flaw
from lpharness.checks.healthy import check_healthy
from lpharness.checks.heartbeat import check_heartbeat
from lpharness.checks.no_reboot import check_no_reboot
from lpharness.checks.redirected import check_redirected
from lpharness.checks.resources import check_resources
from lpharness.checks.selftest import WHOLE, judge_selftest
from lpharness.checks.steps import check_steps, takes_steps
from lpharness.checks.transition import check_transition
from lpharness.checks.under_load import check_under_load
from lpharness.checks.unloaded import check_unloaded
from lpharness.results.model import CheckResult, Verdict, worst

CHECKS: dict[str, Check] = {
    "steps": check_steps,
    "flaw": check_flaw,
    "healthy": check_healthy,
    "no_reboot": check_no_reboot,
    "transition": check_transition,
    "redirected": check_redirected,
    "consistent": check_consistent,
    "under_load": check_under_load,
    "heartbeat": check_heartbeat,
    "unloaded": check_unloaded,
    "resources": check_resources,
}
"""In the order in which they are shown; the first that is worst speaks for the trial. Of a step
that fails with the patch on, what else was seen tells the cause: it speaks only where alone."""


def judge(recording: Recording) -> tuple[CheckResult, ...]:
    """Ask a recording every question that its case raises."""
    if recording.selftest is not None:
        common = (check_healthy, check_no_reboot)
        return (*judge_selftest(recording), *(check(recording) for check in common))
    return tuple(check(recording) for check in questions(recording.case).values())


def questions(case: Case) -> dict[str, Check]:
    """Return the checks that a case raises: only some take steps or describe a flaw."""
    raised = {"steps": takes_steps(case), "flaw": case.flaw is not None}
    return {name: check for name, check in CHECKS.items() if raised.get(name, True)}


def overall(results: Sequence[CheckResult], case: Case) -> tuple[Verdict, str]:
    """Return the trial's verdict and its reason in one line.

    A case that declares that it must fail turns a ``fail`` into ``xfail`` and a ``pass`` into
    ``xpass``; an ``error`` stays one, since it says nothing about the patch.
    """
    verdict = worst(result.verdict for result in results)
    speaker = _speaker([result for result in results if result.verdict is verdict])
    reason = f"{speaker.check}: {speaker.summary}" if speaker else "no check was made"
    expected = case.expect.xfail
    if expected and verdict is Verdict.FAIL:
        return Verdict.XFAIL, f"{reason} (expected: {expected})"
    if expected and verdict is Verdict.PASS:
        return Verdict.XPASS, f"all checks pass, though a failure is expected: {expected}"
    skipped = [r for r in results if r.check == WHOLE and r.verdict is Verdict.SKIP]
    if verdict is Verdict.PASS and skipped:  # the guest was well, and nothing was tried in it
        return Verdict.SKIP, skipped[0].summary
    if verdict is Verdict.PASS:
        passed = sum(1 for result in results if result.verdict is Verdict.PASS)
        return verdict, f"{passed} checks pass"
    return verdict, reason


def _speaker(agreed: Sequence[CheckResult]) -> CheckResult | None:
    """Return the one that tells the cause, of checks that came to the same verdict."""

    def follows(one: CheckResult) -> bool:
        return one.check == "steps" and one.verdict is Verdict.FAIL

    return min(agreed, key=follows, default=None)  # the first of equals
