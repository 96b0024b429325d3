"""``lpharness doctor``: what this machine can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from lpharness.cli.output import TerminalProgress, answers, print_json

if TYPE_CHECKING:
    from lpharness.guests.doctor import Finding

app = typer.Typer(add_completion=False, context_settings={"help_option_names": ["-h", "--help"]})

_MARKS = {"ok": "[green]ok[/green]", "warn": "[yellow]warn[/yellow]", "bad": "[red]bad[/red]"}


@app.command()
def doctor(
    kernel: str = typer.Option(
        "debian:6.1-cloud", "--kernel", "-k", help="The kernel to boot for the proof."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON document on stdout."),
) -> None:
    """Prove what this machine can do, by doing it: compile, fetch, boot, restore.

    Exits with 3 if something is missing that lpharness cannot do without.

    Example: lpharness doctor
    """
    from lpharness.guests.doctor import Doctor

    findings = Doctor(kernel, progress=TerminalProgress()).examine()
    well = all(finding.quality != "bad" for finding in findings)
    if as_json:
        print_json({"well": well, "findings": findings})
    else:
        _print(findings)
    if not well:
        raise typer.Exit(3)


def _print(findings: list[Finding]) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        detail = escape(finding.detail)
        if finding.hint and finding.quality != "ok":
            detail += f"\n[dim]{escape(finding.hint)}[/dim]"
        table.add_row(_MARKS[finding.quality], finding.name, detail)
    answers().print(table)
