"""``lpharness bench``: what lpharness costs on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lpharness.cli.bench_coexistence import coexistence
from lpharness.cli.bench_faults import faults
from lpharness.cli.bench_fixes import fixes
from lpharness.cli.bench_gate import gate
from lpharness.cli.bench_soundness import soundness
from lpharness.cli.output import TerminalProgress, answers, print_json

if TYPE_CHECKING:
    from lpharness.bench.figures import Bench, Figure

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Measure lpharness itself on this machine.\n\n"
    "Medians with their spread, beside the bound that the project set itself; a bound that is not "
    "kept is marked, never a failure: machines differ.",
)

_Kernel = Annotated[str, typer.Option("-k", "--kernel", help="The kernel to measure with.")]
_Repeat = Annotated[int, typer.Option("-n", "--repeat", min=1, help="Samples of each figure.")]
_Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


@app.command()
def guest(kernel: _Kernel = "debian:6.1-cloud", repeat: _Repeat = 10, json: _Json = False) -> None:
    """Boot, restore and command times, and memory."""
    from lpharness.bench.guest import measure

    _show(measure(kernel, repeat, TerminalProgress()), as_json=json)


@app.command()
def trial(kernel: _Kernel = "debian:6.1-cloud", repeat: _Repeat = 5, json: _Json = False) -> None:
    """A whole trial, C to module, inspection, start-up."""
    from lpharness.bench.trial import measure

    _show(measure(kernel, repeat, TerminalProgress()), as_json=json)


@app.command()
def build(
    kernel: _Kernel = "debian:6.1-cloud",
    repeat: _Repeat = 3,
    whole_kernel: Annotated[
        bool,
        typer.Option("--whole-kernel", help="Build all of vmlinux as well (half an hour or more)."),
    ] = False,
    json: _Json = False,
) -> None:
    """A livepatch from a source diff: tree, diff, the same again, memory.

    Each sample begins with an empty cache; downloads are not counted, the page cache is as it is.
    """
    from lpharness.bench.build import measure

    progress = TerminalProgress()
    _show(measure(kernel, repeat, whole_kernel=whole_kernel, progress=progress), as_json=json)


@app.command()
def simulate(repeat: _Repeat = 5, json: _Json = False) -> None:
    """Simulated transitions: events a second, a million tasks, memory."""
    from lpharness.bench.simulate import measure

    _show(measure(repeat, TerminalProgress()), as_json=json)


@app.command()
def site(
    trials: Annotated[
        int, typer.Option("--trials", min=1, help="Made-up trials in the store.")
    ] = 10_000,
    like: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="Folder of a trial: each has its timeline and console. Default: none has any.",
        ),
    ] = None,
    repeat: _Repeat = 5,
    json: _Json = False,
) -> None:
    """The site: writing it, and the first paint in Chromium, from files and served."""
    from lpharness.bench.site import measure

    _show(measure(trials, repeat, like, TerminalProgress()), as_json=json)


@app.command()
def run(
    kernel: _Kernel = "debian:6.1-cloud",
    trials: Annotated[int, typer.Option("-n", "--trials", min=1, help="Trials, each way.")] = 40,
    rounds: Annotated[
        int, typer.Option(min=1, help="In so many parts, each tried in every way.")
    ] = 4,
    jobs: Annotated[
        list[int],
        typer.Option(
            "-j", "--jobs", min=1,
            help="So many at a time. Repeatable. Default: 1, and the CPUs.",
        ),
    ] = [],  # noqa: B006 — typer copies it
    results: Annotated[
        int, typer.Option(min=0, help="Results of a run that goes on; 0: do not measure that.")
    ] = 10_000,
    cluster: Annotated[bool, typer.Option(help="Also on a Dask cluster on this machine.")] = True,
    json: _Json = False,
) -> None:  # fmt: skip
    """Many trials: one by one, several at a time, on a cluster; a run with very many results.

    Each trial's workload takes 2 s. Everything is cached, and guests are restored.
    """
    from lpharness.bench.run import Settings, measure

    settings = Settings(
        kernel=kernel, trials=trials, rounds=rounds, jobs=tuple(jobs), results=results,
        cluster=cluster,
    )  # fmt: skip
    _show(measure(settings, TerminalProgress()), as_json=json)


app.command()(coexistence)
app.command()(faults)
app.command()(fixes)
app.command()(gate)
app.command()(soundness)


def _show(bench: Bench, *, as_json: bool) -> None:
    if as_json:
        print_json(bench)
        return
    from rich.table import Table

    table = Table(box=None, header_style="dim")
    for column in ("figure", "median", "min", "max", "bound", "n"):
        table.add_column(column, justify="left" if column == "figure" else "right")
    for figure in bench.figures:
        style = {True: "green", False: "bold red", None: ""}[figure.met]
        table.add_row(
            figure.name,
            f"[{style}]{_number(figure.median, figure.unit)}[/]"
            if style
            else _number(figure.median, figure.unit),
            _number(min(figure.samples), figure.unit),
            _number(max(figure.samples), figure.unit),
            _bound(figure),
            str(len(figure.samples)),
        )
    out = answers()
    out.print(table)
    before, after = bench.load
    under = f" under {bench.accelerator}" if bench.accelerator else ""
    out.print(
        f"[dim]{bench.kernel}{under}; the host has {bench.host_cpus} CPUs, "
        f"its load was {before:.1f} before and {after:.1f} after[/]",
        soft_wrap=True,
    )


def _bound(figure: Figure) -> str:
    if figure.bound is None:
        return ""
    bound = f"≤ {_number(figure.bound, figure.unit)}"
    return bound if figure.goal is None else f"(goal {figure.goal:g}) {bound}"


def _number(value: float, unit: str) -> str:
    digits = 0 if unit == "MiB" else 2
    return f"{value:.{digits}f} {unit}".rstrip()
