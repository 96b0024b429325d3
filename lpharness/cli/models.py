"""``lpharness models``: the consistency models side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from lpharness.cli.held import held
from lpharness.cli.output import TerminalProgress, answers, print_json
from lpharness.cli.run import Accelerator
from lpharness.cli.tables import drawn

if TYPE_CHECKING:
    from lpharness.cases.model import Case
    from lpharness.comparison.held import Held
    from lpharness.comparison.report import Report
    from lpharness.run import Request
    from lpharness.run.layout import Layout

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Compare the consistency models: one patch, one kernel, one load, five answers.",
)


app.command()(held)

Simulations = Annotated[
    int,
    typer.Option(
        "--simulate",
        min=0,
        help="Simulations of each trial, to set beside what was measured; 0: none.",
    ),
]
_SIMULATIONS = 5
_NUMPY = "numpy is not installed: pip install 'lpharness[simulation]'"


@app.command()
def compare(
    case: Annotated[str, typer.Argument(metavar="CASE", help="`contract` counts mixing as well.")],
    kernel: Annotated[
        list[str], typer.Option("-k", "--kernel", help="For example debian:6.1-cloud; repeatable.")
    ],
    model: Annotated[
        list[str] | None,
        typer.Option("-m", "--model", help="Only these models (docs/models.md). Default: all."),
    ] = None,
    workload: Annotated[
        list[str] | None,
        typer.Option("-w", "--workload", help="What keeps the guest busy. Default: the case's."),
    ] = None,
    repeat: Annotated[
        int, typer.Option(min=1, help="How often each trial is made: 5 make a spread.")
    ] = 1,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="Folder for trials, tables, samples. Default: below results/."
        ),
    ] = None,
    jobs: Annotated[
        int,
        typer.Option("-j", "--jobs", min=1, help="Trials at a time: more than 1 is more noise."),
    ] = 1,
    accelerator: Annotated[
        Accelerator, typer.Option(help="Who runs the guest's code.")
    ] = Accelerator.AUTO,
    cpus: Annotated[int, typer.Option(min=1, max=64, help="The guest's CPUs.")] = 2,
    memory: Annotated[int, typer.Option(min=128, help="The guest's memory, MiB.")] = 512,
    beats: Annotated[
        bool, typer.Option(help="Heartbeats in the guest's kernel: how long CPUs did nothing.")
    ] = True,
    simulate: Simulations = _SIMULATIONS,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Try a case under each consistency model, and put what was measured side by side.

    Transition time, stop time, throughput, attempts and who was in the way; for a case that counts
    it (`contract`), where old and new code met, beside what each model promises. Repeats go round:
    a host that gets busy does so for all models. What a model gives up on is a result, not an
    error.

    Examples: lpharness models compare contract -k debian:6.1-cloud --repeat 3 -o out

    lpharness models compare hot-syscall -k debian:6.1-cloud -m hybrid -m kpatch -w syscall-hammer

    lpharness models show out

    Exit status: 0 measured, and each promise kept; 1 a promise was broken; 2 bad input; 3 nothing
    could be said of a model.
    """
    from lpharness.cases import load
    from lpharness.cli.conduct import carried_out
    from lpharness.results.folder import RunFolder
    from lpharness.run import Request

    if output is not None:
        RunFolder.check(output)
    request = Request(
        cases=(load(case),),
        kernels=tuple(kernel),
        workloads=tuple(workload or ()),
        models=tuple(model or _all_models()),
        repeat=repeat,
        accelerator=accelerator.value,
        cpus=cpus,
        memory_mb=memory,
        beats=beats,
    )
    layout = _layout(request)
    run = carried_out(layout, output, jobs=jobs)
    _show(run.folder.path, simulate, json=json)


@app.command()
def show(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What `compare` wrote.")],
    simulate: Simulations = _SIMULATIONS,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Print the tables of a comparison again, from its recordings; no guest is started.

    Any run's folder will do whose trials were made under several models (`lpharness run -m`).

    Example: lpharness models show results/latest

    Exit status: as of `compare`.
    """
    _show(folder, simulate, json=json)


def _layout(request: Request) -> Layout:
    """Return what is to be tried: the first repeat of every model, then the second."""
    import msgspec

    from lpharness.run.cells import cells_of
    from lpharness.run.layout import typed
    from lpharness.run.prepare import with_seed

    cells = cells_of(request, TerminalProgress())
    for case in request.cases:
        _refuse_unfit(case, request.models)
    layout = typed(with_seed(request), cells)
    return msgspec.structs.replace(
        layout, order=tuple(sorted(layout.order, key=lambda name: name.repeat))
    )


def _all_models() -> list[str]:
    """Return every model, those that are well known in the order in which they are told of."""
    from lpharness.comparison.promises import ORDER
    from lpharness.models import known_models

    def rank(name: str) -> int:
        return ORDER.index(name) if name in ORDER else len(ORDER)

    return sorted(known_models(), key=rank)


def _refuse_unfit(case: Case, models: tuple[str, ...]) -> None:
    from lpharness.base.errors import InputError
    from lpharness.models import unfit

    for variant in case.variants or (None,):
        for name in models:
            if reason := unfit(case, variant, name):
                raise InputError(
                    f"{case.name} cannot be compared: {reason}",
                    hint="take a case with one patch of what is there, such as contract or cmdline",
                )


def _show(folder: Path, simulations: int, *, json: bool) -> NoReturn:
    from lpharness.comparison import compare as put_side_by_side
    from lpharness.comparison import read_run
    from lpharness.comparison.files import write
    from lpharness.comparison.report import Report

    with TerminalProgress().step(f"reading the recordings in {folder}") as step:
        comparison = put_side_by_side(read_run(folder, step.update))
    report = Report(comparison=comparison, held=_held(folder, simulations))
    paths = write(report, folder)
    if json:
        print_json(report.document())
    else:
        _print(report, paths)
    raise typer.Exit(1 if comparison.broken else 3 if comparison.unmeasured else 0)


def _held(folder: Path, simulations: int) -> Held | None:
    """Return the same simulated; ``None`` where that was not asked for or cannot be."""
    from importlib.util import find_spec

    from lpharness.comparison.held import hold, read_trials

    if not simulations or find_spec("numpy") is None:
        return None
    with TerminalProgress().step("simulating the same") as step:
        trials = read_trials([folder], step.update)
        return hold(trials, simulations, simulated=step.update) if trials else None


def _print(report: Report, paths: dict[str, Path]) -> None:
    from rich.text import Text

    from lpharness.results.text import one_line

    console, comparison = answers(), report.comparison
    for table in report.tables():
        console.print(Text(f"\n{table.title}", style="bold"))
        console.print(drawn(table))
        console.print(Text(table.note, style="dim"))
    console.print()
    for row in comparison.rows:
        for reason in row.reasons:
            console.print(Text(f"! {row.model}: {one_line(reason)}", style="yellow"))
    for row, mixed in comparison.broken:
        what = f"{mixed.counted} in {mixed.place} ({mixed.meeting}), and it promises none"
        console.print(Text(f"✗ {row.model} on {row.kernel}: {what}", style="bold red"))
    for reason in report.reasons():
        console.print(Text(f"simulated otherwise: {one_line(reason)}", style="dim"))
    for name, path in paths.items():
        console.print(f"{name:12} {path}", soft_wrap=True)
    _tell_what_is_left_out(report)


def _tell_what_is_left_out(report: Report) -> None:
    from importlib.util import find_spec

    from lpharness.results.pdf import why_not

    if report.held is None and find_spec("numpy") is None:
        answers().print(f"nothing is simulated: {_NUMPY}", style="dim", markup=False)
    if reason := why_not():
        answers().print(f"pictures are SVG only: {reason}", style="dim", markup=False)
