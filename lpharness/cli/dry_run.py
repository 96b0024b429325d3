"""What ``lpharness run --dry-run`` shows: each trial in its turn, and how long all of it takes."""

from __future__ import annotations

from pathlib import Path

from lpharness.cli.output import answers, print_json
from lpharness.executor.capacity import Capacity
from lpharness.results.model import TrialId
from lpharness.results.terminal import COLOURS
from lpharness.results.text import one_line
from lpharness.run.history import Past
from lpharness.run.layout import Layout
from lpharness.run.order import Estimate, at_a_time, estimate
from lpharness.run.remembered import history_for

_MOST = 200
"""Nobody reads more rows; --json has them all."""


def show_plan(
    layout: Layout, output: Path | None, jobs: int | None, *, json: bool, store: str | None = None
) -> None:
    """Show what would be tried; nothing is fetched, built or written."""
    history = history_for(layout, output, store)
    pasts = [(name, history.past(name)) for name in layout.order]
    room = at_a_time(layout.settings, Capacity.of_this_machine(jobs))
    found = estimate(layout, history, room)
    if json:
        trials = [{"id": name, "last_time": past} for name, past in pasts]
        print_json({"trials": trials, "cells": len(layout.cells), "estimate": found})
        return
    _show(pasts)
    answers().print(_in_words(found, len(layout.cells)), soft_wrap=True)


def _show(pasts: list[tuple[TrialId, Past | None]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("", "case", "kernel", "workload", "model", "repeat", "last time", "took"):
        right = column in ("", "repeat", "took")
        table.add_column(column, justify="right" if right else "left", no_wrap=True)
    for number, (name, past) in enumerate(pasts[:_MOST], 1):
        verdict = past.verdict if past else None
        table.add_row(
            str(number),
            Text(f"{name.case}:{name.variant}" if name.variant else name.case),
            Text(one_line(name.kernel, 40)),
            name.workload,
            name.model,
            str(name.repeat + 1),
            Text(verdict.value, style=COLOURS[verdict]) if verdict else "",
            f"{past.seconds:.0f} s" if past and past.seconds else "",
        )
    answers().print(table)
    if len(pasts) > _MOST:
        answers().print(f"… {len(pasts) - _MOST} more; --json shows them all")


def _in_words(found: Estimate, cells: int) -> str:
    if found.remembered == found.trials:
        basis = "by what each took the last time"
    elif found.remembered:
        basis = (
            f"by what {found.remembered} of them took the last time, "
            "the others taken for as long as the middle one of those"
        )
    else:
        basis = "nobody remembers any of them, so that is a guess"
    return (
        f"{found.trials} trials of {cells} cells, {found.at_a_time} at a time: "
        f"about {_duration(found.seconds)}; {basis}"
    )


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{seconds:.0f} s"
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
