"""What the store has of a release, by line: the one place where the gate asks it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property

from lpharness.base.errors import InputError
from lpharness.store import Store
from lpharness.store.history import BAD, GOOD, is_flaky
from lpharness.store.measures import Measure
from lpharness.store.runs import runs
from lpharness.store.trials import Found, Line, Which, find, measured


class Tried:
    """All trials of one line in a release."""

    def __init__(self, attempts: Sequence[Found]) -> None:
        self.attempts = attempts

    @cached_property
    def trials(self) -> list[Found]:
        """The last attempts: those that count."""
        return [trial for trial in self.attempts if trial.latest]

    @cached_property
    def good(self) -> list[Found]:
        """Those that came out well."""
        return [trial for trial in self.trials if trial.verdict in GOOD]

    @cached_property
    def bad(self) -> list[Found]:
        """Those that came out badly."""
        return [trial for trial in self.trials if trial.verdict in BAD]

    @property
    def said(self) -> int:
        """How many said anything."""
        return len(self.good) + len(self.bad)

    @cached_property
    def flaky(self) -> bool:
        """Whether the very same came out both good and bad, earlier attempts included."""
        return is_flaky(self.attempts)


class Evidence:
    """A release, or a run, as the store has it."""

    def __init__(self, store: Store, name: str) -> None:
        """Read it.

        Raises:
            InputError: the name means no run, or the run has no trials.
            HostError: the store cannot be read.
        """
        self.name = name
        self.runs = runs(store, name)
        lines: dict[Line, list[Found]] = defaultdict(list)
        for trial in find(store, Which(run=name, attempts=True)):
            lines[trial.line].append(trial)
        if not lines:
            raise InputError(f"{name} has no trials", hint="`lpharness store info` shows the runs")
        self.lines = {line: Tried(attempts) for line, attempts in sorted(lines.items())}
        self.measures: dict[int, list[Measure]] = measured(store, Which(run=name))

    @property
    def title(self) -> str:
        """The release or run for people: ``v12 (run-20261124-101500)``."""
        names = ", ".join(run.name for run in self.runs[:3])
        more = f" and {len(self.runs) - 3} more" if len(self.runs) > 3 else ""
        return self.name if names == self.name else f"{self.name} ({names}{more})"
