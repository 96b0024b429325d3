"""``lpharness bench faults``: is every planted fault caught, by the check that should?"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from lpharness.cli.output import TerminalProgress, answers, print_json


def faults(
    names: Annotated[
        list[str],
        typer.Argument(metavar="[FAULT]...", help="CLASS/FAULT. Default: all, or all of --class."),
    ] = [],  # noqa: B006 — typer copies it
    class_: Annotated[
        list[str], typer.Option("--class", help="Only faults of this class. Repeatable.")
    ] = [],  # noqa: B006
    folder: Annotated[
        Path | None, typer.Option("--corpus", help="Another folder of faults.")
    ] = None,
    jobs: Annotated[int, typer.Option("-j", "--jobs", min=1, help="Faults at a time.")] = 2,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write the tables there, as Markdown.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Plant each fault of the corpus in a real guest or on this host, and see who catches it.

    Example: lpharness bench faults --class load -j 2

    Exit status: 0 each is caught by the check that should, with its evidence; 1 one is not; 2 bad
    input; 3 the host could not do its part.
    """
    from lpharness.base.errors import InputError
    from lpharness.bench.faults import Caught, corpus, measure
    from lpharness.bench.faults.table import COLUMNS, markdown, rows
    from lpharness.bench.figures import host_load
    from lpharness.results.files import write_atomically

    found = corpus(folder, class_)
    if unknown := sorted(set(names) - {fault.name for fault in found}):
        raise InputError(f"no fault {unknown[0]}", hint="faults are named CLASS/FAULT")
    chosen = [fault for fault in found if not names or fault.name in names]
    began = time.monotonic()
    with TerminalProgress().step(f"{len(chosen)} faults", unit="faults") as step:
        outcomes = measure(chosen, jobs, step)
    if output is not None:
        words = ["lpharness bench faults", *names, *(f"--class {name}" for name in class_)]
        command = " ".join([*words, f"-j {jobs}"])
        page = markdown(chosen, outcomes, command, time.monotonic() - began, host_load())
        write_atomically(output, page.encode())
    if json:
        print_json({"outcomes": outcomes})
    else:
        from rich.table import Table

        table = Table(box=None, header_style="dim")
        for column in COLUMNS:
            table.add_column(column, justify="left" if column == "class" else "right")
        for row in rows(chosen, outcomes):
            table.add_row(*row)
        answers().print(table)
        for outcome in outcomes:
            if outcome.caught is not Caught.CAUGHT:
                text = f"{outcome.fault}: {outcome.caught}: {outcome.reason}"
                answers().print(text, markup=False, soft_wrap=True)
    if any(outcome.caught not in (Caught.CAUGHT, Caught.SKIPPED) for outcome in outcomes):
        raise typer.Exit(1)
