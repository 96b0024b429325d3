"""``lpharness bench fixes``: how many shipped fixes come out as clean livepatches."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lpharness.cli.output import TerminalProgress, answers, print_json


def fixes(
    old: Annotated[str, typer.Option("--from", help="Version of linux-source-* to begin with.")],
    new: Annotated[str, typer.Option("--to", help="Version whose changes are taken.")],
    kernel: Annotated[str, typer.Option("-k", "--kernel", help="A kernel built from --from.")],
    sample: Annotated[int, typer.Option(min=0, help="Files drawn at random.")] = 300,
    seed: Annotated[int, typer.Option(help="What draws them.")] = 1,
    whole: Annotated[
        list[str], typer.Option("--all", help="A folder of which every file is taken. Repeatable.")
    ] = [],  # noqa: B006 — typer copies it
    together: Annotated[
        bool, typer.Option(help="Try a fix that does not compile by itself with what it needs.")
    ] = False,
    guests: Annotated[bool, typer.Option(help="Try the modules in guests.")] = True,
    jobs: Annotated[int, typer.Option("-j", "--jobs", min=1, help="Fixes at a time.")] = 2,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="Folder for the results; the same again goes on. Default: new."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Build, load and unload what Debian changed between two versions, file by file.

    Example: lpharness bench fixes --from 6.1.170-3 --to 6.1.192-2 -k debian:6.1.0-47-cloud-amd64
    --all mm --all net/core -o results/fixes

    Exit status: 0 no guest was harmed by a module that the engine called good; 1 one was; 2 bad
    input; 3 the host could not do its part.
    """
    from lpharness.bench.fixes import Outcome, Settings, measure
    from lpharness.bench.fixes.table import accounts, markdown
    from lpharness.results.files import write_atomically
    from lpharness.results.folder import RunFolder

    settings = Settings(
        old=old, new=new, kernel=kernel, sample=sample, seed=seed, whole=tuple(whole),
        guests=guests, together=together, jobs=jobs,
    )  # fmt: skip
    with RunFolder.create(output) as folder:
        found = measure(settings, folder, TerminalProgress())
        page = folder.path / "fixes.md"
        write_atomically(page, markdown(settings, found.fixes, found.drawn).encode())
    if json:
        print_json({"accounts": accounts(settings, found.fixes, found.drawn), "fixes": found.fixes})
    else:
        answers().print(page.read_text(), markup=False, soft_wrap=True)
        answers().print(f"{page}", soft_wrap=True)
    if any(fix.outcome is Outcome.HARMED for fix in found.fixes):
        raise typer.Exit(1)
