"""Did the case's own steps in the guest come out as they must?

What a step was to bring about is not there when the step failed, so nobody can say: ``error``. But
what worked before the patch and no more with it, the patch broke.
"""

from __future__ import annotations

from lpharness.cases.model import Case
from lpharness.checks.contract import Recording
from lpharness.checks.ledger import Ledger
from lpharness.checks.story import Chapter, Story
from lpharness.results.model import CheckResult
from lpharness.timeline.events import ActionTaken, Phase

_OWN = ("setup: ", "load target ", "unload target ", "action: ", "drive", "cleanup: ")

At = tuple[int, ActionTaken]


def takes_steps(case: Case) -> bool:
    """Tell whether a case has steps of its own."""
    return bool(case.setup or case.actions or case.cleanup or case.target or case.drive.run)


def check_steps(recording: Recording) -> CheckResult:
    """Hold each step's exit status against what it must be."""
    story, ledger = Story(recording), Ledger("steps")
    worked: set[str] = set()
    for chapter in story.chapters:
        for index, taken in chapter.of(ActionTaken):
            if not taken.action.startswith(_OWN):
                continue
            _judge(taken, (index, taken), chapter, taken.action in worked, ledger)
            if chapter.phase is Phase.BASELINE and taken.exit_status == taken.wanted:
                worked.add(taken.action)
    return ledger.result("the case's own steps came out as they must", died=story.died)


def _judge(
    taken: ActionTaken, at: At, chapter: Chapter, worked_before: bool, ledger: Ledger
) -> None:
    what = f"{taken.action} in {chapter.phase.value}"
    if taken.wanted is None:
        ledger.context(what, _seen(taken), at)
    elif taken.exit_status == taken.wanted:
        ledger.right(what, _seen(taken), at)
    elif worked_before:
        wanted = f"exit status {taken.wanted}, as before the patch"
        ledger.wrong(what, _seen(taken), at, wanted=wanted)
    else:
        ledger.missing(what, f"{_seen(taken)}, not {taken.wanted}", at)


def _seen(taken: ActionTaken) -> str:
    detail = taken.detail.splitlines()[-1] if taken.detail else ""
    return f"exit status {taken.exit_status}" + (f": {detail}" if detail else "")
