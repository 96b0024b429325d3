"""``lpharness report``: write a run's reports again, or a site of everything in the store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lpharness.cli.known_cases import KnownCases, known_cases
from lpharness.cli.output import print_json
from lpharness.cli.store import Where

if TYPE_CHECKING:
    from lpharness.cases import Case

app = typer.Typer(add_completion=False)


@app.command()
def report(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="[RUN_FOLDER]",
            help="A folder that `run` wrote. Default: results/latest.",
            show_default=False,
        ),
    ] = None,
    *,
    site: Annotated[
        Path | None,
        typer.Option("--site", metavar="DIR", help="Write the store as a static site instead."),
    ] = None,
    case: KnownCases = None,
    store: Where = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Write the reports of a run again: HTML, JUnit, KTAP, Markdown; or the store as a site.

    Works while the run goes on, and on a run that was killed: it shows what is known by then.

    Examples: lpharness report results/latest

    lpharness report --site public --store results.sqlite
    """
    from lpharness.base.errors import InputError

    if site is None:
        for option, given in (("--store", store), ("--case", case)):
            if given is not None:
                raise InputError(f"{option} is for --site", hint="`lpharness report --site DIR`")
        _report(folder or Path("results/latest"), json=json)
    elif folder is not None:
        raise InputError(
            "a site is of the store, not of a run's folder",
            hint=f"`lpharness store add {folder}`, then `lpharness report --site {site}`",
        )
    else:
        _write_site(site, store, known_cases(case), json=json)


def _report(folder: Path, *, json: bool) -> None:
    from lpharness.results.folder import RunFolder
    from lpharness.results.writers import write_reports

    paths = write_reports(RunFolder.open(folder))
    if json:
        print_json(paths)
        return
    for kind, path in paths.items():
        typer.echo(f"{kind:9} {path}")


def _write_site(folder: Path, store: str | None, cases: Sequence[Case], *, json: bool) -> None:
    from lpharness.cli.output import TerminalProgress
    from lpharness.site.write import write_site
    from lpharness.store import open_store

    with open_store(store) as opened:
        written = write_site(opened, folder, TerminalProgress(), cases)
    if json:
        print_json(written)
        return
    typer.echo(f"{written.index}: {written.pages} pages, {written.written} written now")
