"""The table of verdicts that ``lpharness run`` ends with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table
from rich.text import Text

from lpharness.results.figures import Figures
from lpharness.results.model import Build, Trial, Verdict
from lpharness.results.text import one_line, seconds

COLOURS = {
    Verdict.PASS: "green",
    Verdict.FAIL: "bold red",
    Verdict.ERROR: "yellow",
    Verdict.SKIP: "dim",
    Verdict.XFAIL: "cyan",
    Verdict.XPASS: "bold magenta",
}


def verdict_table(trials: Sequence[Trial], figures: Mapping[str, Figures] | None = None) -> Table:
    """Return a table of verdicts, one row for each trial.

    Args:
        trials: what to show, in order.
        figures: by `TrialId.slug`, for the times of build and transition; without it those columns
            are left out.
    """
    table = Table(box=None, pad_edge=False, header_style="dim", show_edge=False)
    table.add_column("verdict", no_wrap=True)
    table.add_column("trial", overflow="fold")
    with_build = figures is not None and any(trial.build for trial in trials)
    if with_build:
        table.add_column("built in", justify="right", no_wrap=True)
    if figures is not None:
        table.add_column("patched in", justify="right", no_wrap=True)
    table.add_column("took", justify="right", no_wrap=True)
    widths = [
        min(30, max((len(parts[at]) for parts in map(_names, trials)), default=0)) for at in (0, 1)
    ]
    for trial in trials:
        # Text, not markup: "[/]" in a guest's words must stay what it is.
        cells = [Text(trial.verdict.value, style=COLOURS[trial.verdict]), _trial(trial, widths)]
        if with_build:
            cells.append(_built(trial.build))
        if figures is not None:
            found = figures.get(trial.id.slug)
            cells.append(Text(seconds(found.patching_s if found else None)))
        table.add_row(*cells, Text(seconds(trial.seconds or None)))
    return table


def _built(build: Build | None) -> Text:
    """Return how long the build took, or how it was refused."""
    if build is None or build.verdict is Verdict.PASS:
        return Text(seconds(build.seconds if build else None))
    return Text(one_line(build.kind or build.verdict.value, 30), style=COLOURS[build.verdict])


def _names(trial: Trial) -> tuple[str, str, str]:
    id_ = trial.id
    case = f"{id_.case} {id_.variant}" if id_.variant else id_.case
    return one_line(case, 30), one_line(id_.kernel, 40), one_line(id_.workload, 30)


def _trial(trial: Trial, widths: Sequence[int]) -> Text:
    """Return the trial's names in columns, and below them why it did not pass."""
    case, kernel, workload = _names(trial)
    text = Text(f"{case:{widths[0]}}  {kernel:{widths[1]}}  {workload}")
    if trial.verdict is not Verdict.PASS:
        text.append(f"\n{one_line(trial.reason, 160)}", style="dim")
    return text
