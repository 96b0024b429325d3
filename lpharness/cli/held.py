"""``lpharness models held``: the same scenario measured and simulated, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lpharness.cli.output import TerminalProgress, answers, print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lpharness.comparison.held import Held


def held(
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="What `models compare` wrote.")
    ],
    repeat: Annotated[
        int, typer.Option("-n", "--repeat", min=1, help="Simulations of each trial.")
    ] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Of the first simulation.")] = 1,
    jobs: Annotated[int, typer.Option("-j", "--jobs", min=1, help="Processes.")] = 1,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write the table here, as Markdown.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Simulate what was measured, under the same model, and hold the two against each other.

    A scenario is fitted to each trial. What the model's own work costs is taken from other
    transitions, never from the one that it is held against (docs/held.md). Trials of several
    folders are put together. Printed are medians, failures, whether they are within 20 %, and
    where they are not, why. Needs numpy: pip install 'lpharness[simulation]'.

    Examples: lpharness models held results/latest

    lpharness models held out-1 out-2 -n 20 -j 2 -o docs/held-table.md

    Exit status: 0 held against each other, whatever came of it; 2 bad input.
    """
    from lpharness.cli.simulate import need_numpy
    from lpharness.results.files import write_atomically

    need_numpy()
    found = _hold(folders, repeat, seed, jobs)
    if output is not None:
        write_atomically(output, _page(found, folders, repeat, seed).encode())
    if json:
        print_json(found)
    else:
        _print(found)


def _hold(folders: Sequence[Path], repeat: int, seed: int, jobs: int) -> Held:
    from lpharness.base.errors import InputError
    from lpharness.comparison.held import hold, read_trials

    with TerminalProgress().step("holding simulations against trials") as step:
        trials = read_trials(folders, step.update)
        if not trials:
            raise InputError(
                f"no trial in {', '.join(map(str, folders))} tells of a transition",
                hint="`lpharness models compare CASE -k KERNEL -o DIR` makes some",
            )
        return hold(trials, repeat, seed, jobs, simulated=step.update)


def _page(found: Held, folders: Sequence[Path], repeat: int, seed: int) -> str:
    from datetime import UTC, datetime

    from lpharness.comparison.held.table import page

    names = " ".join(folder.name or str(folder) for folder in folders)
    seeded = "" if seed == 1 else f" --seed {seed}"
    command = f"lpharness models held {names} -n {repeat}{seeded} -o docs/held-table.md"
    return page(found, command, f"{datetime.now(UTC):%Y-%m-%d}")


def _print(found: Held) -> None:
    from rich.text import Text

    from lpharness.cli.tables import drawn
    from lpharness.comparison.held.table import summary, table

    console, shown = answers(), table(found)
    console.print(drawn(shown))
    console.print(Text(shown.note, style="dim"))
    for row in found.rows:
        for reason in row.reasons:
            where = f"{row.name.workload}, {row.name.model}"
            console.print(Text(f"! {where}: {reason}", style="yellow"))
    console.print(Text(summary(found), style="bold"))
