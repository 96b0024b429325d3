"""``lpharness store``: what was ever tried, remembered."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lpharness.cli.output import answers, print_json

if TYPE_CHECKING:
    from lpharness.store.runs import Run

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Remember results: add runs, name releases, show what there is. docs/store.md",
)

Where = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="PATH|URL",
        help="A SQLite file, or postgresql://USER@HOST/DATABASE. Default: LPHARNESS_STORE, else "
        "your own below ~/.local/share/lpharness.",
    ),
]


@app.command()
def add(
    results: Annotated[
        list[Path], typer.Argument(metavar="RESULTS...", help="Folders that `run` wrote.")
    ],
    *,
    store: Where = None,
    tag: Annotated[
        str | None, typer.Option("--tag", help="Name them as a release as well: v12.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Put runs into the store; the same twice is there once.

    Each run is added whole or not at all: a damaged folder is refused, and those before it stay.

    Example: lpharness store add results/latest --tag v12

    Exit status: 0 all well; 2 bad input; 3 the store could not be written.
    """
    from lpharness.results.folder import RunFolder
    from lpharness.store import open_store
    from lpharness.store.add import add_run, source_of
    from lpharness.store.runs import tag as give_tag

    for path in results:  # before a store is made for nothing
        RunFolder.open(path)
    done = []
    with open_store(store, create=True) as opened:
        for path in results:
            added = add_run(opened, path)
            done.append(added)
            if tag is not None:
                give_tag(opened, tag, source_of(RunFolder.open(path)).key)
            if not json:
                left = f", {added.going_on} still going on" if added.going_on else ""
                typer.echo(
                    f"{added.run}: {added.added} added, {added.renewed} renewed, "
                    f"{added.unchanged} there already{left}"
                )
        if json:
            print_json({"store": opened.name, "runs": done})


@app.command()
def info(
    *,
    store: Where = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Show where the store is, and which runs and releases it holds.

    Example: lpharness store info --store results.sqlite
    """
    from lpharness.store import open_store
    from lpharness.store.runs import runs
    from lpharness.store.tables import HEAD

    with open_store(store) as opened:
        found = runs(opened)
        if json:
            print_json({"store": opened.name, "schema": HEAD, "runs": found})
            return
        _show(opened.name, HEAD, found)


@app.command()
def tag(
    name: Annotated[str, typer.Argument(metavar="RELEASE", help="The name: v12.")],
    run: Annotated[
        str, typer.Argument(metavar="[RUN]", help="A run's name or key, or another release.")
    ] = "latest",
    *,
    store: Where = None,
    delete: Annotated[
        bool, typer.Option("--delete", help="Take the name away; the runs stay.")
    ] = False,
) -> None:
    """Name a run as a release, so that others can be held against it. May name several runs.

    Example: lpharness store tag v12 latest
    """
    from lpharness.store import open_store
    from lpharness.store import runs as releases

    with open_store(store) as opened:
        if delete:
            typer.echo(f"{name}: taken from {releases.untag(opened, name)} runs")
        else:
            typer.echo(f"{name}: {releases.tag(opened, name, run)} runs")


def _show(name: str, schema: str, found: list[Run]) -> None:
    from rich.table import Table
    from rich.text import Text

    from lpharness.results.terminal import COLOURS

    out = answers()
    trials = sum(run.trials for run in found)
    out.print(f"{name}: {trials} trials of {len(found)} runs, schema {schema}", soft_wrap=True)
    table = Table(box=None, header_style="dim")
    for column in ("run", "made at", "releases", "trials", "verdicts", "key"):
        table.add_column(column)
    for run in found:
        verdicts = Text()
        for verdict, count in sorted(run.verdicts.items()):
            verdicts.append(f"{count} {verdict.value} ", style=COLOURS[verdict])
        table.add_row(
            Text(run.name),
            f"{run.created_at:%Y-%m-%d %H:%M} UTC",
            ", ".join(run.tags),
            str(run.trials),
            verdicts,
            run.key[:8],
        )
    if found:
        out.print(table)
