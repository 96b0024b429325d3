"""``lpharness bench soundness``: does a clean trial ever come to anything but a pass?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lpharness.cli.output import TerminalProgress, answers, print_json

if TYPE_CHECKING:
    from lpharness.bench.soundness import Settings
    from lpharness.bench.soundness.account import Account

KERNELS = tuple(
    f"debian:{series}-{flavour}"
    for series in ("6.1", "6.12")
    for flavour in ("cloud", "amd64", "rt")
)


def soundness(
    names: Annotated[
        list[str], typer.Argument(metavar="[CASE]...", help="Default: every bundled case.")
    ] = [],  # noqa: B006 — typer copies it
    kernel: Annotated[
        list[str],
        typer.Option(
            "-k", "--kernel", help="Repeatable. Default: the newest 6.1 and 6.12, all flavours."
        ),
    ] = [],  # noqa: B006
    workload: Annotated[
        list[str],
        typer.Option("-w", "--workload", help="Repeatable. Default: all that a case lists."),
    ] = [],  # noqa: B006
    number: Annotated[int, typer.Option("-n", "--number", min=1, help="Trials.")] = 500,
    seed: Annotated[int, typer.Option(help="What draws them.")] = 1,
    jobs: Annotated[int, typer.Option("-j", "--jobs", min=1, help="Trials at a time.")] = 2,
    hog: Annotated[
        int, typer.Option(min=0, help="Processes beside them that burn a CPU of the host each.")
    ] = 1,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="Folder for the results; the same again goes on. Default: new."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Try cases that are clean, under load on the guest and the host: each must pass.

    Example: lpharness bench soundness -n 500 --seed 1 -o results/soundness

    Exit status: 0 each passes; 1 one does not; 2 bad input; 3 the host could not do its part.
    """
    from lpharness.bench.soundness import Settings, account, measure
    from lpharness.bench.soundness.table import markdown
    from lpharness.results.files import write_atomically
    from lpharness.results.folder import RunFolder

    settings = Settings(
        kernels=tuple(kernel) or KERNELS, cases=tuple(names), workloads=tuple(workload),
        number=number, seed=seed, hogs=hog, jobs=jobs,
    )  # fmt: skip
    with RunFolder.create(output) as folder:
        found = account(measure(settings, folder, TerminalProgress()))
        page = folder.path / "soundness.md"
        write_atomically(page, markdown(found, settings, _command(settings)).encode())
    if json:
        print_json(found)
    else:
        _show(found)
        answers().print(f"{page}", soft_wrap=True)
    if not found.sound:
        raise typer.Exit(1)


def _command(settings: Settings) -> str:
    """Return the command that draws the same again."""
    words = [*settings.cases]
    words += [f"-k {name}" for name in settings.kernels if settings.kernels != KERNELS]
    words += [f"-w {name}" for name in settings.workloads]
    words += [f"-n {settings.number}", f"--seed {settings.seed}", f"-j {settings.jobs}"]
    return " ".join(["lpharness bench soundness", *words, f"--hog {settings.hogs}"])


def _show(found: Account) -> None:
    from rich.table import Table

    from lpharness.bench.soundness.table import BOUNDS, bound_rows, verdicts_of

    out = answers()
    table = Table(box=None, header_style="dim")
    for column in BOUNDS:
        table.add_column(column)
    for row in bound_rows(found):
        table.add_row(*row)
    out.print(table)
    out.print(f"{found.trials} trials: {verdicts_of(found.verdicts)}")
    for other in found.others:
        text = f"{other.trial}: {other.verdict}: {other.reason}"
        out.print(text, markup=False, soft_wrap=True)
