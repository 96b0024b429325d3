"""What a trial will probably take and come to, by what it came to before: for plans."""

from __future__ import annotations

import statistics
from collections import defaultdict

from msgspec import Struct

from lpharness.results.model import Verdict
from lpharness.store.database import Store
from lpharness.store.trials import EVERYTHING, Found, Line, Which, find

_RECENT = 5
"""Of how many trials the seconds are the median: few, so that a slower machine is soon known."""


class Expectation(Struct, frozen=True, kw_only=True):
    """Drawn from the newest trials of a line."""

    verdict: Verdict
    """Of the last that finished."""
    seconds: float
    """The median host seconds, the build's included."""
    trials: int
    """Of how many trials."""


def expectations(store: Store, which: Which = EVERYTHING) -> dict[Line, Expectation]:
    """Return what to expect of each line that was ever tried to its end.

    Raises:
        HostError: the store cannot be read.
    """
    lines: dict[Line, list[Found]] = defaultdict(list)
    for trial in find(store, which):
        if trial.finished and trial.verdict is not Verdict.SKIP:
            lines[trial.line].append(trial)
    return {
        line: Expectation(
            verdict=trials[-1].verdict,
            seconds=statistics.median(trial.seconds for trial in trials[-_RECENT:]),
            trials=len(trials[-_RECENT:]),
        )
        for line, trials in lines.items()
    }
