"""What the store holds at one moment, in short: what all pages but the trials' own are made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property

from lpharness.cases import Case
from lpharness.results.model import Verdict
from lpharness.store import Store
from lpharness.store.entry import cves_of_case
from lpharness.store.flaws import cves_of, verdicts_of
from lpharness.store.history import History, histories
from lpharness.store.measures import TRANSITION
from lpharness.store.runs import Run, runs
from lpharness.store.trend import Trend, trends
from lpharness.store.trials import EVERYTHING, Found, Line


class Book:
    """Runs, lines and flaws.

    Attributes:
        runs: the newest first.
        histories: the past of each line, by line.
        cves: the flaws that a trial's case heals, by the trial's id.
        flaws_shown: what came of the check that the flaw shows without the patch and not with it.
        trends: how the time to patch moved.
        known_flaws: by CVE the cases that heal it, with their titles, whether tried or not.
    """

    def __init__(
        self,
        runs: Sequence[Run],
        histories: Sequence[History],
        cves: Mapping[int, Sequence[str]],
        flaws_shown: Mapping[int, Verdict],
        trends: Sequence[Trend],
        known_flaws: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self.runs = runs
        self.histories = histories
        self.cves = cves
        self.flaws_shown = flaws_shown
        self.known_flaws = known_flaws or {}
        self.trends = {trend.line: trend for trend in trends}

    @cached_property
    def trials(self) -> dict[int, Found]:
        """All trials with all their attempts, by id."""
        return {trial.id: trial for line in self.histories for trial in line.trials}

    @cached_property
    def of_line(self) -> dict[Line, History]:
        """The past of each line."""
        return {history.line: history for history in self.histories}

    @cached_property
    def cases(self) -> dict[str, list[History]]:
        """The lines of each case."""
        found: dict[str, list[History]] = defaultdict(list)
        for history in self.histories:
            found[history.line.case].append(history)
        return dict(sorted(found.items()))

    @cached_property
    def releases(self) -> dict[str, list[Run]]:
        """The runs of each release, the newest release first."""
        found: dict[str, list[Run]] = defaultdict(list)
        for run in self.runs:
            for tag in run.tags:
                found[tag].append(run)
        return found

    @cached_property
    def of_run(self) -> dict[str, list[Found]]:
        """The trials of each run, by its key; of each the attempt that counts."""
        found: dict[str, list[Found]] = defaultdict(list)
        for trial in self.trials.values():
            if trial.latest:
                found[trial.run].append(trial)
        return found

    @cached_property
    def run_of(self) -> dict[str, Run]:
        """The runs by their keys."""
        return {run.key: run for run in self.runs}

    @cached_property
    def _cells(self) -> dict[tuple[str, str, str, str], list[Found]]:
        found: dict[tuple[str, str, str, str], list[Found]] = defaultdict(list)
        for trials in self.of_run.values():
            for trial in trials:
                line = trial.line
                found[trial.run, line.case, line.variant, line.target].append(trial)
        return found

    def beside(self, trial: Found) -> list[Found]:
        """Return what was tried of a trial's case on its kernel in the same run."""
        line = trial.line
        return self._cells.get((trial.run, line.case, line.variant, line.target), [])

    def newest(self) -> Iterator[Found]:
        """Yield what is known now: of each line the trials of the last run that tried it."""
        for history in self.histories:
            run = history.last.run
            yield from (trial for trial in history.trials if trial.run == run and trial.latest)

    def of_release(self, name: str) -> Iterator[Found]:
        """Yield a release's trials; of what several of its runs tried, the newest."""
        found: dict[tuple[Line, int], Found] = {}
        for run in reversed(self.releases[name]):
            for trial in self.of_run[run.key]:
                found[trial.line, trial.repeat] = trial
        yield from found.values()

    @property
    def last(self) -> datetime | None:
        """When the newest trial was started."""
        return max((trial.started_at for trial in self.trials.values()), default=None)

    @cached_property
    def kernels(self) -> dict[str, str]:
        """Kernels as they were asked for, each with the newest release that was tried of it."""
        newest: dict[str, Found] = {}
        for history in self.histories:
            last, before = history.last, newest.get(history.line.target)
            if before is None or last.started_at > before.started_at:
                newest[history.line.target] = last
        return {target: newest[target].kernel for target in sorted(newest)}


def read_book(store: Store, cases: Sequence[Case] = ()) -> Book:
    """Read what pages are made of.

    Args:
        store: what was tried.
        cases: those whose flaws are to be told of, were they ever tried or not.

    Raises:
        HostError: the store cannot be read.
    """
    with store.reading() as session:
        cves, flaws_shown = cves_of(session), verdicts_of(session, "flaw")
    return Book(
        runs=runs(store),
        histories=histories(store),
        cves=cves,
        flaws_shown=flaws_shown,
        trends=trends(store, EVERYTHING, TRANSITION, "patching"),
        known_flaws=_flaws_of(cases),
    )


def _flaws_of(cases: Sequence[Case]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for case in cases:
        for cve in cves_of_case(case):
            found[cve][case.name] = case.title
    return found


SIGNS = {
    Verdict.PASS: "✓",
    Verdict.FAIL: "✗",
    Verdict.ERROR: "?",
    Verdict.SKIP: "–",  # noqa: RUF001
    Verdict.XFAIL: "x",
    Verdict.XPASS: "P",
}
"""Verdicts by a sign of their own: nowhere by colour alone."""
