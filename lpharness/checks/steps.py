"""Did the case's own steps in the guest come out as they must?

What a step was to bring about is not there when the step failed, so nobody can say: ``error``. What
drives the patched code is another matter: if it worked before the patch and no more with it, the
patch broke it.
"""

from __future__ import annotations

from lpharness.cases.model import Case
from lpharness.checks.contract import Recording
from lpharness.checks.ledger import Ledger
from lpharness.checks.story import Chapter, Story
from lpharness.results.model import CheckResult
from lpharness.timeline.events import ActionTaken, Phase

_OWN = ("setup: ", "load target ", "unload target ", "action: ", "cleanup: ")
_DRIVE = "drive"


def takes_steps(case: Case) -> bool:
    """Tell whether a case has steps of its own."""
    return bool(case.setup or case.actions or case.cleanup or case.target or case.drive.run)


def check_steps(recording: Recording) -> CheckResult:
    """Hold each step's exit status against what it must be."""
    story, ledger = Story(recording), Ledger("steps")
    driven_well = False
    for chapter in story.chapters:
        for index, taken in chapter.of(ActionTaken):
            if taken.action.startswith(_OWN):
                _judge(taken, index, ledger)
            elif taken.action == _DRIVE:
                _judge_drive(taken, index, chapter, driven_well, ledger)
                driven_well |= chapter.phase is Phase.BASELINE and taken.exit_status == 0
    return ledger.result("the case's own steps came out as they must", died=story.died)


def _judge(taken: ActionTaken, index: int, ledger: Ledger) -> None:
    at = (index, taken)
    if taken.wanted is None:
        ledger.context(taken.action, _seen(taken), at)
    elif taken.exit_status == taken.wanted:
        ledger.right(taken.action, _seen(taken), at)
    else:
        ledger.missing(taken.action, f"{_seen(taken)}, not {taken.wanted}", at)


def _judge_drive(
    taken: ActionTaken, index: int, chapter: Chapter, worked_before: bool, ledger: Ledger
) -> None:
    at, what = (index, taken), f"drive in {chapter.phase.value}"
    if taken.exit_status == 0:
        ledger.right(what, _seen(taken), at)
    elif worked_before:
        ledger.wrong(what, _seen(taken), at, wanted="exit status 0, as before the patch")
    else:
        ledger.missing(what, _seen(taken), at)


def _seen(taken: ActionTaken) -> str:
    detail = taken.detail.splitlines()[-1] if taken.detail else ""
    return f"exit status {taken.exit_status}" + (f": {detail}" if detail else "")
