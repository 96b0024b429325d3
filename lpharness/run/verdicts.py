"""What a run comes to as a whole."""

from __future__ import annotations

from collections.abc import Iterable

from lpharness.results.flaky import Judged, counting
from lpharness.results.model import Verdict


def exit_status(judged: Iterable[Judged]) -> int:
    """Return what the process says of a run: 0 all well, 1 a fail, 3 nobody could say.

    Of a trial that was tried again its last attempt counts, unless an earlier one failed.
    """
    trials = list(judged)
    if any(trial.verdict in (Verdict.FAIL, Verdict.XPASS) for trial in trials):
        return 1
    verdicts = {trial.verdict for trial in counting(trials)}
    return 3 if Verdict.ERROR in verdicts or not verdicts else 0
