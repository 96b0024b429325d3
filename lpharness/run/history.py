"""What is known of earlier runs: what failed last time, and how long things take."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Struct

from lpharness.results.flaky import any_time
from lpharness.results.folder import RESULTS
from lpharness.results.model import TrialId, Verdict
from lpharness.run.attempts import FILE_NAME, read_attempts

_RUNS = 20
"""So many runs are looked at, the newest first."""


class Past(Struct, frozen=True, kw_only=True):
    """How a trial, or one most like it, came out the last time."""

    verdict: Verdict | None
    """``None`` if only something like it was tried."""
    seconds: float | None


class History(Protocol):
    """What a run wants to know of those before it."""

    def past(self, trial: TrialId) -> Past | None:
        """Return what is known of a trial; ``None`` if nothing is."""


class Runs:
    """The history that earlier runs left in their folders."""

    def __init__(self, folders: Iterable[Path]) -> None:
        """Read it.

        Args:
            folders: of the runs, the newest first.
        """
        self._exact: dict[TrialId, Past] = {}
        self._alike: dict[TrialId, Past] = {}
        for folder in folders:
            for name, past in _of_run(folder).items():
                self._exact.setdefault(name, past)  # what a newer run said stays
                alike = Past(verdict=None, seconds=past.seconds)
                self._alike.setdefault(_alike(name), alike)

    def past(self, trial: TrialId) -> Past | None:
        """Return what is known: of the trial, else of one on another kernel."""
        return self._exact.get(any_time(trial)) or self._alike.get(_alike(trial))


_FINE = (Verdict.PASS, Verdict.XFAIL, Verdict.SKIP)


def _of_run(folder: Path) -> dict[TrialId, Past]:
    """Return how a run's trials came out; of repeats, the worst."""
    found: dict[TrialId, Past] = {}
    for attempt in read_attempts(folder):
        before = found.get(any_time(attempt.id))
        if attempt.last and (before is None or before.verdict in _FINE):
            found[any_time(attempt.id)] = Past(
                verdict=attempt.verdict, seconds=attempt.seconds or None
            )
    return found


def failed(past: Past | None) -> bool:
    """Say whether something did not come out well the last time."""
    return past is not None and past.verdict is not None and past.verdict not in _FINE


def runs_beside(output: Path | None) -> Runs:
    """Return the history of the runs that lie where a run's results go.

    Args:
        output: the run's folder; ``None`` for a new one below ``results``.
    """
    results = Path(RESULTS) if output is None else output.absolute().parent
    logs = sorted(results.glob(f"*/{FILE_NAME}"), key=_age, reverse=True)
    return Runs(log.parent for log in logs[:_RUNS] if not log.parent.is_symlink())


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _alike(trial: TrialId) -> TrialId:
    return msgspec.structs.replace(any_time(trial), kernel="")
