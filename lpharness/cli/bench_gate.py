"""``lpharness bench gate``: which slow-downs does the gate find, and which are not there?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lpharness.cli.output import TerminalProgress, print_json

if TYPE_CHECKING:
    from lpharness.bench.gate import Settings


def gate(
    *,
    slower: Annotated[
        list[float], typer.Option("--slower", help="Planted slow-downs. Repeatable.")
    ] = [0.1, 0.2, 0.5],  # noqa: B006 — typer copies it
    repeats: Annotated[
        list[int], typer.Option("--repeats", help="Trials of a line on each side. Repeatable.")
    ] = [3, 5, 7, 10, 15, 20],  # noqa: B006
    spread: Annotated[
        list[float],
        typer.Option("--spread", help="Standard deviation of a line's values. Repeatable."),
    ] = [0.05, 0.15],  # noqa: B006
    lines: Annotated[int, typer.Option(min=1, help="Cases by kernels by workloads.")] = 10,
    draws: Annotated[int, typer.Option(min=1, help="How often each is drawn.")] = 200,
    seed: Annotated[int, typer.Option(help="What draws them.")] = 1,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write the table here.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Plant slow-downs in drawn values and ask the gate: its power and its false alarms.

    Example: lpharness bench gate -o docs/gate-table.md
    """
    from lpharness.bench.gate import Settings, markdown, measure
    from lpharness.results.files import write_atomically

    settings = Settings(
        slower=tuple(slower), repeats=tuple(repeats), spreads=tuple(spread), lines=lines,
        draws=draws, seed=seed,
    )  # fmt: skip
    rows = measure(settings, TerminalProgress())
    text = markdown(rows, settings, _command(settings))
    if output is not None:
        write_atomically(output, text)
    if json:
        print_json(rows)
    else:
        typer.echo(text)


def _command(settings: Settings) -> str:
    """Return the command that draws the same again."""
    usual = type(settings)()
    words = [
        f"--{option} {value}"
        for option, name in (("slower", "slower"), ("repeats", "repeats"), ("spread", "spreads"))
        for value in getattr(settings, name)
        if getattr(settings, name) != getattr(usual, name)
    ]
    words += [
        f"--{name} {getattr(settings, name)}"
        for name in ("lines", "draws", "seed")
        if getattr(settings, name) != getattr(usual, name)
    ]
    return " ".join(["lpharness bench gate", *words, "-o docs/gate-table.md"])
