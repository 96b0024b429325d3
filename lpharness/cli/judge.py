"""``lpharness judge``: judge recorded trials again with today's checks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from lpharness.results.model import CheckResult, Trial

app = typer.Typer(add_completion=False)


@app.command()
def judge(
    results: Path = typer.Argument(
        Path("results/latest"),
        metavar="[RESULTS]",
        help="A folder that `run` wrote, or one trial's folder in it.",
    ),
    evidence: bool = typer.Option(
        False, "--evidence", "-e", help="Show each check, and what its verdict rests on."
    ),
    json: bool = typer.Option(False, "--json", help="Print one JSON document on stdout."),
) -> None:
    """Judge recorded trials again with today's checks; nothing is booted, nothing is written.

    Example: lpharness judge results/latest --evidence

    Exit status: 0 all well; 1 a verdict is fail; 2 bad input; 3 nobody could say.
    """
    from lpharness.checks.rejudge import rejudge
    from lpharness.run import exit_status

    trials = rejudge(results)
    if json:
        from lpharness.cli.output import print_json

        print_json({"trials": trials})
    else:
        _show(trials, evidence)
    raise typer.Exit(exit_status(trials))


def _show(trials: list[Trial], evidence: bool) -> None:
    from lpharness.cli.output import answers
    from lpharness.results.terminal import verdict_table

    console = answers()
    for trial in trials if evidence else []:
        console.print(trial.id.slug, style="bold", markup=False)
        for result in trial.checks:
            _show_check(console, result)
        console.print()
    console.print(verdict_table(trials))


def _show_check(console: Console, result: CheckResult) -> None:
    from rich.text import Text

    from lpharness.results.terminal import COLOURS

    verdict = Text(f"{result.verdict.value:>6}", style=COLOURS[result.verdict])
    console.print(verdict, Text(f"{result.check}: {result.summary}"))
    for piece in result.evidence:
        sign = {True: "+", False: "-", None: " "}[piece.good]
        wanted = f"  (wanted: {piece.wanted})" if piece.wanted and not piece.good else ""
        margin = f"  [{piece.margin.name}: {piece.margin.words}]" if piece.margin else ""
        line = f"       {sign} {piece.what}: {piece.seen}{wanted}{margin}"
        # Text, not markup: a guest's words must stay what they are.
        console.print(Text(line, style="" if piece.good is False else "dim"))
