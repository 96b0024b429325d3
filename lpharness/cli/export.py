"""``lpharness export``: what the store knows, and what is proven, for other tools."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lpharness.cli.export_ansible import ansible
from lpharness.cli.output import print_json
from lpharness.cli.store import Where

app = typer.Typer(add_completion=False)
app.command()(ansible)


class Form(StrEnum):
    """What ``--format`` takes."""

    PARQUET = "parquet"
    JSONL = "jsonl"


@app.callback(invoke_without_command=True)
def export(
    context: typer.Context,
    *,
    format: Annotated[  # noqa: A002
        Form | None, typer.Option("--format", help="Tables, or one JSON document a line.")
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="The file.")] = None,
    run: Annotated[
        str | None, typer.Option(help="Only a release's trials, or a run's. Default: all.")
    ] = None,
    case: Annotated[str | None, typer.Option(help="Only this case's.")] = None,
    kernel: Annotated[str | None, typer.Option("-k", "--kernel", help="Only this one's.")] = None,
    store: Where = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Write the trials of the store: a row each, with its checks, measures and livepatches.

    Or, with `ansible`, the role that brings a proven bundle to machines.

    Examples: lpharness export --format parquet -o trials.parquet

    lpharness export --format jsonl --run v12 -o v12.jsonl

    Exit status: 0 written; 2 bad input; 3 the store could not be read or the file not written.
    """
    if context.invoked_subcommand is not None:
        return
    from lpharness.base.errors import InputError
    from lpharness.store import open_store
    from lpharness.store.export import Format
    from lpharness.store.export import export as write
    from lpharness.store.trials import Which

    if format is None or output is None:
        raise InputError(
            "what to write is not said", hint="lpharness export --format parquet|jsonl -o FILE"
        )
    with open_store(store) as opened:
        which = Which(run=run, case=case, kernel=kernel)
        count = write(opened, output, Format(format.value), which)
    if json:
        print_json({"file": output, "trials": count})
    else:
        typer.echo(f"{output}: {count} trials")
