"""How a run looks while it goes: which trial is where, and what the verdicts are so far."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from lpharness.cli.output import answers
from lpharness.results.figures import Figures
from lpharness.results.model import Trial, TrialId, Verdict
from lpharness.results.terminal import COLOURS, verdict_table
from lpharness.timeline.events import Phase

_SELFTEST = [Phase.BOOT, Phase.BASELINE, Phase.SELFTEST, Phase.AFTER]
_STORY = [
    Phase.BOOT,
    Phase.BASELINE,
    Phase.LOAD,
    Phase.TRANSITION,
    Phase.STEADY,
    Phase.UNLOAD,
    Phase.AFTER,
]


class RunView:
    """A `lpharness.run.Listener` for people: two live lines on a terminal, plain ones elsewhere."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._live = Live(console=self._console, refresh_per_second=8, transient=True)
        self._total = 0
        self._done = 0
        self._current: TrialId | None = None
        self._phase: Phase | None = None
        self._story = _STORY
        self._since = time.monotonic()

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.stop()

    def planned(self, trials: Sequence[TrialId]) -> None:
        """Take note of how many there are."""
        self._total = len(trials)

    def phase(self, trial: TrialId, phase: Phase) -> None:
        """Show where a trial is."""
        if trial != self._current:
            self._current, self._since = trial, time.monotonic()
            # Only a case that describes a flaw begins with the control.
            self._story = [phase, *_STORY] if phase is Phase.CONTROL else _STORY
        if phase is Phase.SELFTEST:
            self._story = _SELFTEST
        self._phase = phase
        self._live.update(self, refresh=self._console.is_terminal)

    def tested(self, trial: TrialId, test: str, verdict: Verdict) -> None:
        """Print how one test of a selftest came out."""
        line = Text(f"[{self._done + 1}/{self._total}] ", style="dim")
        line.append(f"{verdict.value:5} ", style=COLOURS[verdict])
        line.append(f"{trial.case}: ", style="dim").append(test)
        self._console.print(line, soft_wrap=True)

    def finished(self, trial: Trial) -> None:
        """Print a finished trial's verdict for good."""
        self._done += 1
        self._current = None
        line = Text(f"[{self._done}/{self._total}] ", style="dim")
        line.append(f"{trial.verdict.value:5} ", style=COLOURS[trial.verdict])
        line.append(f"{_name(trial.id)}  ")
        line.append(f"{trial.seconds:.1f} s", style="dim")
        if trial.verdict != "pass":
            line.append(f"  {trial.reason}")
        self._console.print(line, soft_wrap=True)

    def summarise(
        self,
        trials: Sequence[Trial],
        figures: Mapping[str, Figures],
        reports: Mapping[str, Path],
    ) -> None:
        """Print the table of verdicts and where the reports are, on stdout."""
        out = answers()
        out.print()
        out.print(verdict_table(trials, figures))
        out.print()
        for name, path in reports.items():
            out.print(f"{name:9} {path}", soft_wrap=True)

    def __rich__(self) -> Text:
        """Draw the live lines: the trial and its seconds; below them its phases."""
        # Cut at the window's edge: a line that wraps makes all below it jump.
        text = Text(no_wrap=True, overflow="ellipsis")
        if self._total and self._done == self._total:
            return text.append("writing the reports", style="dim")
        text.append(f"[{self._done + 1}/{self._total}] ", style="dim")
        if self._current is None:
            return text
        text.append(_name(self._current), style="bold")
        text.append(f"  {time.monotonic() - self._since:.0f} s\n     ", style="dim")
        story = self._story
        at = story.index(self._phase) if self._phase in story else len(story)
        for index, phase in enumerate(story):
            style = "green" if index < at else "bold cyan" if index == at else "dim"
            text.append(f" {phase.value}", style=style)
        return text


def _name(trial: TrialId) -> str:
    case = f"{trial.case}:{trial.variant}" if trial.variant else trial.case
    again = f" #{trial.repeat}" if trial.repeat else ""
    return f"{case} on {trial.kernel} with {trial.workload}{again}"
