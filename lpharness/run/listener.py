"""Who is told how a run goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from lpharness.results.model import Trial, TrialId
from lpharness.run.told import StepNews
from lpharness.timeline.events import Phase


class Listener(Protocol):
    """Is told how a run goes: by one thread at a time, not always by the same."""

    def planned(self, trials: Sequence[TrialId]) -> None:
        """These will be tried, in this order."""

    def preparing(self, what: str, step: StepNews | None) -> None:
        """Something is fetched or built; ``None`` when that is through."""

    def phase(self, trial: TrialId, phase: Phase) -> None:
        """A trial enters a phase."""

    def finished(self, trial: Trial) -> None:
        """A trial has its verdict."""

    def again(self, trial: TrialId) -> None:
        """A trial is tried again, as nobody could say."""


class Silent:
    """A `Listener` that says nothing."""

    def planned(self, trials: Sequence[TrialId]) -> None:
        """Say nothing."""

    def preparing(self, what: str, step: StepNews | None) -> None:
        """Say nothing."""

    def phase(self, trial: TrialId, phase: Phase) -> None:
        """Say nothing."""

    def finished(self, trial: Trial) -> None:
        """Say nothing."""

    def again(self, trial: TrialId) -> None:
        """Say nothing."""
