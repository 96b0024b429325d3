"""``lpharness serve``: the store as a site, live."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lpharness.cli.known_cases import KnownCases, known_cases
from lpharness.cli.store import Where

app = typer.Typer(add_completion=False)


@app.command()
def serve(
    *,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="0 takes any that is free.")
    ] = 8765,
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    allow_remote: Annotated[
        bool,
        typer.Option("--allow-remote", help="Listen where others can reach it: nobody is asked."),
    ] = False,
    run: Annotated[
        Path | None,
        typer.Option(
            "--run",
            metavar="RUN_FOLDER",
            help="A run to show as it goes. Default: results/latest, if it is there.",
            show_default=False,
        ),
    ] = None,
    case: KnownCases = None,
    store: Where = None,
) -> None:
    """Serve the store as a site, and a run as it goes. Ctrl-C ends it.

    Only this machine is served, unless told otherwise. Nothing is written, here or in the store.

    Example: lpharness serve --run results/latest

    Exit status: 0 ended by Ctrl-C; 2 bad input; 3 the port or the store cannot be had.
    """
    from lpharness.base.errors import InputError

    try:
        from lpharness.site.serve import listen
        from lpharness.site.serve import serve as go_on
    except ImportError as error:
        raise InputError(
            "serving needs starlette and uvicorn", hint="pip install 'lpharness[serve]'"
        ) from error
    from lpharness.site.going import Watched
    from lpharness.site.shelf import Shelf
    from lpharness.store import open_store

    usual = Path("results/latest")
    folder = usual if run is None and (usual / "run.json").is_file() else run
    watched, cases = Watched(folder) if folder else None, known_cases(case)
    with listen(host, port, remote=allow_remote) as opened, open_store(store) as from_store:
        shelf = Shelf(from_store, watched, cases)
        name = f"[{host}]" if ":" in host else host
        typer.echo(f"http://{name}:{opened.getsockname()[1]}/ shows {from_store.name}; Ctrl-C ends")
        go_on(shelf, opened, remote=allow_remote)
