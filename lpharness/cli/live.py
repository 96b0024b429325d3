"""How a run looks while it goes: which trial is where, and what the verdicts are so far."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from lpharness.cli.output import answers
from lpharness.cli.remaining import Remaining
from lpharness.results.figures import Figures
from lpharness.results.flaky import Judged, flaky
from lpharness.results.markdown import headline
from lpharness.results.model import Trial, TrialId, Verdict
from lpharness.results.terminal import COLOURS, verdict_table
from lpharness.run.told import StepNews
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


class _Underway:
    """A trial that is being carried out."""

    def __init__(self) -> None:
        self.since = time.monotonic()
        self.phase: Phase | None = None
        self.story = _STORY

    def enter(self, phase: Phase) -> None:
        if phase is Phase.CONTROL:  # only a case that describes a flaw begins with it
            self.story = [phase, *_STORY]
        elif phase is Phase.SELFTEST:
            self.story = _SELFTEST
        self.phase = phase

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.since


class RunView:
    """A `lpharness.run.listener.Listener` for people: live lines on a terminal, plain ones else."""

    def __init__(
        self,
        expected: Mapping[TrialId, float] | None = None,
        after: Callable[[Trial], None] = lambda _: None,
    ) -> None:
        """Make one.

        Args:
            expected: seconds that trials took the last time.
            after: is called with each trial that has its verdict.
        """
        self._console = Console(stderr=True, highlight=False)
        self._live = Live(console=self._console, refresh_per_second=8, transient=True)
        self._remaining = Remaining(expected or {})
        self._after = after
        self._total = 0
        self._done = 0
        self._underway: dict[TrialId, _Underway] = {}
        self._steps: dict[str, StepNews] = {}

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
        """Take note of what there is."""
        self._total = len(trials)
        self._remaining.planned(trials)

    def preparing(self, what: str, step: StepNews | None) -> None:
        """Show what is fetched or built; print what is through."""
        if step is None:
            self._steps.pop(what, None)
        elif step.seconds is None:
            self._steps[what] = step
        else:
            line = Text(f"  {step.text} ").append(f"{step.seconds:.1f} s", style="dim")
            self._console.print(line, soft_wrap=True)
        self._refresh()

    def phase(self, trial: TrialId, phase: Phase) -> None:
        """Show where a trial is."""
        self._underway.setdefault(trial, _Underway()).enter(phase)
        self._refresh()

    def tested(self, trial: TrialId, test: str, verdict: Verdict) -> None:
        """Print how one test of a selftest came out."""
        line = Text(f"[{self._done + 1}/{self._total}] ", style="dim")
        line.append(f"{verdict.value:5} ", style=COLOURS[verdict])
        line.append(f"{trial.case}: ", style="dim").append(test)
        self._console.print(line, soft_wrap=True)

    def finished(self, trial: Trial) -> None:
        """Print a finished trial's verdict for good."""
        self._done += 1
        self._underway.pop(trial.id, None)
        self._remaining.finished(trial.id, trial.seconds)
        line = Text(f"[{self._done}/{self._total}] ", style="dim")
        line.append(f"{trial.verdict.value:5} ", style=COLOURS[trial.verdict])
        line.append(f"{_name(trial.id)}  ")
        line.append(f"{trial.seconds:.1f} s", style="dim")
        if trial.verdict != "pass":
            line.append(f"  {trial.reason}")
        self._console.print(line, soft_wrap=True)
        self._after(trial)

    def again(self, trial: TrialId) -> None:
        """Take note that there is one more."""
        self._total += 1
        self._remaining.planned([trial])

    def summarise(
        self,
        trials: Sequence[Trial],
        judged: Sequence[Judged],
        figures: Mapping[str, Figures],
        reports: Mapping[str, Path],
    ) -> None:
        """Print the table of verdicts and where the reports are, on stdout.

        Args:
            trials: what there is room to tell of.
            judged: all that there is.
            figures: of the trials, by slug.
            reports: paths by name.
        """
        out = answers()
        out.print()
        out.print(verdict_table(trials, figures))
        if len(judged) > len(trials):
            out.print(f"… {len(judged) - len(trials)} more: {headline(judged)}")
        for one in flaky(judged):
            out.print(Text(f"flaky     {_name(one.id)}: {one.words}", style="yellow"))
        out.print()
        for name, path in reports.items():
            out.print(f"{name:9} {path}", soft_wrap=True)

    def _refresh(self) -> None:
        self._live.update(self, refresh=False)

    def __rich__(self) -> Text:
        """Draw the live lines: what runs where, what is prepared, and what is left."""
        # Cut at the window's edge: a line that wraps makes all below it jump.
        text = Text(no_wrap=True, overflow="ellipsis")
        if self._total and self._done == self._total:
            return text.append("writing the reports", style="dim")
        if len(self._underway) == 1 and not self._steps:
            ((trial, underway),) = self._underway.items()
            return self._draw_one(text, trial, underway)
        text.append(f"[{self._done}/{self._total}] ", style="dim")
        text.append(self._remaining.words(len(self._underway)), style="dim")
        for trial, underway in list(self._underway.items()):
            phase = underway.phase.value if underway.phase else ""
            text.append(f"\n  {phase:<10} ", style="cyan").append(_name(trial), style="bold")
            text.append(f"  {underway.seconds:.0f} s")
        for what, step in list(self._steps.items()):
            text.append("\n  preparing  ", style="cyan").append(what, style="bold")
            text.append(f"  {_words(step)}", style="dim")
        return text

    def _draw_one(self, text: Text, trial: TrialId, underway: _Underway) -> Text:
        """Draw the one trial and its seconds; below them its phases."""
        text.append(f"[{self._done + 1}/{self._total}] ", style="dim")
        text.append(_name(trial), style="bold")
        text.append(f"  {underway.seconds:.0f} s\n     ", style="dim")
        story = underway.story
        at = story.index(underway.phase) if underway.phase in story else len(story)
        for index, phase in enumerate(story):
            style = "green" if index < at else "bold cyan" if index == at else "dim"
            text.append(f" {phase.value}", style=style)
        return text


def _words(step: StepNews) -> str:
    """Say where a step stands: ``download linux-image… 43%``."""
    share = f" {100 * step.done // step.total}%" if step.total else ""
    note = f" {step.note}" if step.note else ""
    return f"{step.text}{share}{note}"


def _name(trial: TrialId) -> str:
    case = f"{trial.case}:{trial.variant}" if trial.variant else trial.case
    model = f" under {trial.model}" if trial.model != "hybrid" else ""
    repeat = f" #{trial.repeat}" if trial.repeat else ""
    again = " again" if trial.attempt else ""
    return f"{case} on {trial.kernel} with {trial.workload}{model}{repeat}{again}"
