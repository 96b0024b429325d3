"""``lpharness bench coexistence``: who may watch a function while it is patched?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lpharness.cli.output import TerminalProgress, answers, print_json

KERNELS = ("debian:6.1-cloud", "debian:6.12-cloud")


def coexistence(
    names: Annotated[
        list[str],
        typer.Argument(metavar="[TRACER]...", help="function, kprobe, fentry, … Default: all."),
    ] = [],  # noqa: B006 — typer copies it
    kernel: Annotated[
        list[str],
        typer.Option("-k", "--kernel", help="Repeatable. Default: the newest 6.1 and 6.12 cloud."),
    ] = [],  # noqa: B006
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write the table there, as Markdown.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Let tracers, probes and BPF programs meet a livepatch at one function, in every order.

    Each comes before or after the patch and leaves before or after it. After each step the
    function is called: it must behave as the patch says, and the tracer must count each call.

    Example: lpharness bench coexistence kprobe fentry -k debian:6.1-cloud

    Exit status: 0 what the kernel allows works, and what it refuses is refused; 1 something went
    wrong; 2 bad input; 3 nobody could say.
    """
    from lpharness.bench.coexistence import Met, measure, tracers
    from lpharness.bench.coexistence.model import ORDERS
    from lpharness.bench.coexistence.table import cells, markdown
    from lpharness.results.files import write_atomically

    kernels = kernel or list(KERNELS)
    outcomes = measure(kernels, tracers(tuple(names)), progress=TerminalProgress())
    if output is not None:
        words = [*names, *(f"-k {name}" for name in kernel)]
        command = " ".join(["lpharness bench coexistence", *words])
        write_atomically(output, markdown(outcomes, command).encode())
    if json:
        print_json({"outcomes": outcomes})
    else:
        from rich.table import Table

        table = Table(box=None, header_style="dim")
        for column in ("tracer", "kernel", *(order.name for order in ORDERS)):
            table.add_column(column)
        for row in cells(outcomes):
            table.add_row(*row)
        out = answers()
        out.print(table)
        for outcome in outcomes:
            if outcome.met in (Met.WRONG, Met.UNKNOWN):
                text = f"{outcome.kernel}, {outcome.tracer}, {outcome.order}: {outcome.summary}"
                out.print(text, markup=False, soft_wrap=True)
    met = {outcome.met for outcome in outcomes}
    if met & {Met.WRONG, Met.UNKNOWN}:
        raise typer.Exit(1 if Met.WRONG in met else 3)
