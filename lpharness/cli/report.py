"""``lpharness report``: write a run's reports again."""

from __future__ import annotations

from pathlib import Path

import typer

app = typer.Typer(add_completion=False)


@app.command()
def report(
    folder: Path = typer.Argument(
        Path("results/latest"), metavar="[RUN_FOLDER]", help="A folder that `run` wrote."
    ),
    json: bool = typer.Option(False, "--json", help="Print one JSON document on stdout."),
) -> None:
    """Write the reports of a run again: HTML, JUnit, KTAP, Markdown.

    Works while the run goes on, and on a run that was killed: it shows what is known by then.

    Example: lpharness report results/latest
    """
    from lpharness.results.folder import RunFolder
    from lpharness.results.writers import write_reports

    paths = write_reports(RunFolder.open(folder))
    if json:
        from lpharness.cli.output import print_json

        print_json(paths)
        return
    for kind, path in paths.items():
        typer.echo(f"{kind:9} {path}")
