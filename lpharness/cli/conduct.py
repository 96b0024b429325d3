"""Conducting a run from the command line: watched as it goes, reported on whatever ends it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

import msgspec
from msgspec import Struct

from lpharness.cli.live import RunView
from lpharness.cli.storing import storing
from lpharness.cli.trials import show_trials
from lpharness.results.folder import RunFolder
from lpharness.results.model import TrialId
from lpharness.results.writers import write_reports
from lpharness.run.attempts import AttemptLog, read_attempts
from lpharness.run.conductor import Conductor
from lpharness.run.layout import Layout, keep
from lpharness.run.order import expectations
from lpharness.run.remembered import history_for
from lpharness.run.start import executors


class Conducted(Struct, kw_only=True):
    """A run that is over."""

    folder: RunFolder
    names: list[TrialId]
    """All that was tried, in the order of the plan."""
    view: RunView
    reports: dict[str, Path]
    complete: bool
    """Whether the store, if there is one, has all of it."""


def conduct(
    layout: Layout,
    output: Path | None,
    *,
    jobs: int | None,
    cluster: str | None,
    go_on: bool,
    json: bool,
    store: str | None = None,
) -> NoReturn:
    """Carry out a layout, show what it came to, and end with the verdict.

    The arguments are those of `carried_out`, and whether the answer is for programs.
    """
    run = carried_out(layout, output, jobs=jobs, cluster=cluster, go_on=go_on, store=store)
    show_trials(run.names, run.folder, run.view, run.reports, json=json, complete=run.complete)


def carried_out(
    layout: Layout,
    output: Path | None,
    *,
    jobs: int | None,
    cluster: str | None = None,
    go_on: bool = False,
    store: str | None = None,
) -> Conducted:
    """Carry out a layout, told of on stderr as it goes, and write its reports whatever ends it.

    Args:
        layout: what is to be tried.
        output: the folder for it; a new one below ``results`` if ``None``.
        jobs: trials at a time; as many as there is room for if ``None``.
        cluster: where they are carried out; on this machine if ``None``.
        go_on: whether the folder has the first part of this very run.
        store: where trials go as they come, besides the folder.
    """
    expected = expectations(layout.order, history_for(layout, output, store))
    with ExitStack() as stack, storing(store) as stored, RunView(expected, stored.add) as view:

        def open_folder() -> RunFolder:
            folder = stored.folder = stack.enter_context(RunFolder.create(output))
            if not go_on:
                AttemptLog(folder.path).begin()
                keep(layout, folder.path)
            return folder

        run = Conductor(layout.settings, open_folder, view, retries=layout.retries)
        if go_on:
            run.open()
        try:
            with executors(run.told, layout, jobs, cluster) as (preparing, trying):
                run.run(layout, preparing=preparing, trying=trying)
        finally:  # after Ctrl-C they show what was known by then
            if run.folder is not None:
                reports = write_reports(run.folder)
                complete = stored.complete(whole=go_on)
    assert run.folder is not None
    attempts = read_attempts(run.folder.path) if go_on else run.attempts
    return Conducted(
        folder=run.folder,
        names=_in_order([attempt.id for attempt in attempts], layout),
        view=view,
        reports=reports,
        complete=complete,
    )


def _in_order(names: list[TrialId], layout: Layout) -> list[TrialId]:
    """Return trials in the order of the plan, not that in which they ended.

    What an earlier part of the run did comes first.
    """
    places = {name: place for place, name in enumerate(layout.order)}

    def place(name: TrialId) -> tuple[int, int]:
        return places.get(msgspec.structs.replace(name, attempt=0), -1), name.attempt

    return sorted(names, key=place)
