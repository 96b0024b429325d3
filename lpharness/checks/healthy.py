"""Is the kernel as well as it was: nothing bad on its console, no taint that nobody expects?"""

from __future__ import annotations

import re
from collections.abc import Sequence

from lpharness.checks.console_view import Seen, console_findings, without_numbers
from lpharness.checks.contract import Recording
from lpharness.checks.flood import judge_flood
from lpharness.checks.leaks import KMEMLEAK, judge_leaks
from lpharness.checks.ledger import Ledger
from lpharness.checks.story import Story
from lpharness.checks.taints import judge_taint
from lpharness.results.model import CheckResult, Verdict
from lpharness.timeline.events import LeaksScanned, ModuleLoadTried, TransitionMarked

_COMPLETE = ("livepatch-complete", "model-complete")


def check_healthy(recording: Recording) -> CheckResult:
    """Compare the console's classes and the taint bits before the load and since."""
    story, ledger = Story(recording), Ledger("healthy")
    _judge_console(story, ledger)
    judge_flood(story, ledger)
    judge_taint(story, ledger)
    judge_leaks(story, ledger)
    death = story.death
    if death and death.verdict is Verdict.FAIL:
        ledger.wrong("the guest's life", death.text, death.at, wanted="until the harness ends it")
    elif death:
        ledger.missing("the guest's life", death.text, death.at)
    return ledger.result("nothing bad on the console, no unexpected taint", died=story.died)


def _judge_console(story: Story, ledger: Ledger) -> None:
    loaded = any(event.errno == 0 for _, event in story.recording.of(ModuleLoadTried))
    findings = console_findings(story)
    if loaded and not any(_of_a_load(found) for found in findings):
        ledger.missing("console", "shows nothing of the load: it was lost, or is kept too quiet")
    elif not story.recording.console and not findings:
        ledger.missing("console", "no line was recorded")
    _judge_hearing(story, findings, ledger)
    before = {_class(found) for found in findings if not found.after_load}
    blamed = 0
    for found in findings:
        if found.severity == "expected":
            continue
        blamed += _judge_finding(story, found, before, ledger)
    if story.recording.console and not blamed:
        lines = len(story.recording.console)
        ledger.right("console", f"nothing bad in {lines} lines")


def _judge_hearing(story: Story, findings: Sequence[Seen], ledger: Ledger) -> None:
    """The console must have told of each transition that is known to have ended.

    Who did not hear that may not have heard of anything else since.
    """
    told = "\n".join(found.text for found in findings if found.name in _COMPLETE)
    ends = [e for _, e in story.recording.of(TransitionMarked) if e.mark == "completed"]
    for patch, direction in dict.fromkeys((end.patch, end.direction) for end in ends):
        if not re.search(
            rf"'{re.escape(patch)}': ({direction} complete|completing {direction} transition)", told
        ):
            ledger.missing("console", f"does not tell that {direction} of {patch} has ended")


def _of_a_load(found: Seen) -> bool:
    """Tell whether the kernel said what it says of every livepatch that is loaded.

    The taint is told at the level of warnings: who misses it would miss a warning too.
    """
    return found.name.startswith(("livepatch-", "taint-"))


def _judge_finding(story: Story, found: Seen, before: set[str], ledger: Ledger) -> int:
    what = f"console: {found.name}"
    text = f"{found.text} ({found.detail})" if found.detail else found.text
    if not found.after_load:
        ledger.context(what, f"before the load: {text}", console_line=found.line)
    elif found.severity == "odd":
        ledger.context(what, text, console_line=found.line)
    elif found.name in story.recording.case.expect.console:
        ledger.context(what, f"the case expects it: {text}", console_line=found.line)
    elif found.name == KMEMLEAK and any(story.recording.of(LeaksScanned)):
        ledger.context(what, f"by our own scan: {text}", console_line=found.line)
    elif _class(found) in before:
        ledger.context(what, f"as before the load: {text}", console_line=found.line)
    else:
        ledger.wrong(what, text, wanted="nothing bad", console_line=found.line)
        return 1
    return 0


def _class(found: Seen) -> str:
    """Return what two findings have in common that say the same with other numbers."""
    return found.name + without_numbers(found.text)
