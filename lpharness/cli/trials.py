"""Trials from their plan to what is shown of them: planned, carried out, shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

import typer

from lpharness.cli.output import TerminalProgress, print_json

if TYPE_CHECKING:
    from lpharness.base.progress import Progress
    from lpharness.cli.live import RunView
    from lpharness.results.folder import RunFolder
    from lpharness.results.model import Trial, TrialId

_MOST = 100
"""More rows nobody reads on a terminal; the worst come first, and the reports have all."""
R = TypeVar("R")
E = TypeVar("E")


def run_and_show(
    request: R,
    plan: Callable[[R, Progress], Sequence[E]],
    execute: Callable[[Sequence[E], R, RunFolder, RunView], list[Trial]],
    output: Path | None,
    *,
    store: str | None,
    json: bool,
) -> NoReturn:
    """Plan and execute what is asked for, write and show the reports, and end with the verdict."""
    from lpharness.cli.live import RunView
    from lpharness.cli.storing import storing
    from lpharness.results.folder import RunFolder
    from lpharness.results.writers import write_reports

    if output is not None:
        RunFolder.check(output)
    with storing(store) as stored:
        entries = plan(request, TerminalProgress())
        with RunFolder.create(output) as folder, RunView(after=stored.add) as view:
            stored.folder = folder
            try:
                trials = execute(entries, request, folder, view)
            finally:  # after Ctrl-C they show what was known by then
                reports = write_reports(folder)
                complete = stored.complete(whole=False)
    names = [trial.id for trial in trials]
    show_trials(names, folder, view, reports, json=json, complete=complete)


def show_trials(
    names: Sequence[TrialId],
    folder: RunFolder,
    view: RunView,
    reports: Mapping[str, Path],
    *,
    json: bool,
    complete: bool = True,
) -> NoReturn:
    """Show what a run came to, and end with its verdict; or with 3, if not all of it was kept."""
    from lpharness.results.flaky import flaky
    from lpharness.results.html import worst_first
    from lpharness.results.story import read_story
    from lpharness.run import exit_status

    places = [folder.trial(name) for name in names]
    judged = [place.heading() for place in places]
    if json:
        trials = [place.load() for place in places]
        print_json({"trials": trials, "flaky": flaky(judged), "reports": reports})
    else:
        if len(places) > _MOST:
            pairs = zip(places, judged, strict=True)
            worst = sorted(pairs, key=lambda pair: worst_first(pair[1].verdict))
            places = [place for place, _ in worst[:_MOST]]
        told = [read_story(place, place.load()) for place in places]
        figures = {story.trial.id.slug: story.figures for story in told}
        view.summarise([story.trial for story in told], judged, figures, reports)
    raise typer.Exit(exit_status(judged) or (0 if complete else 3))
