"""``lpharness run``: try cases on kernels, and judge what was seen."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from lpharness.cli.output import TerminalProgress
from lpharness.cli.trials import show_trials

if TYPE_CHECKING:
    from lpharness.cases import Case
    from lpharness.run import Request

app = typer.Typer(add_completion=False)


class Accelerator(StrEnum):
    """What ``--accelerator`` takes."""

    AUTO = "auto"
    KVM = "kvm"
    TCG = "tcg"


@app.command()
def run(
    cases: Annotated[
        list[str],
        typer.Argument(
            metavar="[CASE]...", help="Bundled cases by name, or folders with a case.toml."
        ),
    ] = [],  # noqa: B006 — typer copies it
    *,
    kernel: Annotated[
        list[str],
        typer.Option(
            "-k",
            "--kernel",
            help="debian:6.1-cloud (newest), debian:6.1.0-56-cloud-amd64 (exact), built:6.1-small, "
            "profile:NAME, tree:PATH, files:image=…,modules=…,headers=… "
            "May be given more than once.",
        ),
    ],
    workload: Annotated[
        list[str], typer.Option("-w", "--workload", help="Default: the case's first. Repeatable.")
    ] = [],  # noqa: B006 — typer copies it
    tag: Annotated[
        list[str],
        typer.Option(
            "--tag",
            help="Only cases with this tag, for example quick or long; of the bundled ones, if no "
            "case is named. Repeatable: one of them is enough.",
        ),
    ] = [],  # noqa: B006
    variant: Annotated[
        list[str], typer.Option("--variant", help="Only these variants of the cases.")
    ] = [],  # noqa: B006
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="Folder for the results. Default: a new one below results/."
        ),
    ] = None,
    repeat: Annotated[int, typer.Option(min=1, help="How often each trial is made.")] = 1,
    jobs: Annotated[
        int | None,
        typer.Option(
            "-j",
            "--jobs",
            min=1,
            help="Trials at a time. Default: as many as there are CPUs and memory for.",
        ),
    ] = None,
    retries: Annotated[
        int, typer.Option(min=0, help="How often a trial is tried again that nobody could judge.")
    ] = 1,
    backend: Annotated[str, typer.Option(help="qemu or libvirt.")] = "qemu",
    uri: Annotated[
        str | None, typer.Option(help="libvirt's connection, for example qemu:///system.")
    ] = None,
    accelerator: Annotated[
        Accelerator, typer.Option(help="Who runs the guest's code.")
    ] = Accelerator.AUTO,
    cpus: Annotated[int, typer.Option(min=1, max=64, help="The guest's CPUs.")] = 2,
    memory: Annotated[int, typer.Option(min=128, help="The guest's memory, MiB.")] = 512,
    fresh: Annotated[bool, typer.Option(help="Boot for each trial; use no snapshot.")] = False,
    keep_vmcore: Annotated[
        bool, typer.Option(help="Keep the guest's memory when its kernel dies.")
    ] = False,
    seed: Annotated[int | None, typer.Option(help="For what is random; default: random.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Try cases on kernels under workloads, and judge what was seen.

    Examples: lpharness run cmdline hot-syscall -k debian:6.1-cloud -k debian:6.12-cloud

    lpharness run --tag quick -k debian:6.1-cloud

    Exit status: 0 all well; 1 a verdict is fail; 2 bad input; 3 nobody could say.
    """
    from lpharness.run import Request

    request = Request(
        cases=_chosen(cases, tag),
        kernels=tuple(kernel),
        workloads=tuple(workload),
        variants=tuple(variant),
        repeat=repeat,
        backend=backend,
        uri=uri,
        accelerator=accelerator.value,
        cpus=cpus,
        memory_mb=memory,
        fresh=fresh,
        keep_memory=keep_vmcore,
        seed=seed,
    )
    _run(request, output, jobs=jobs, retries=retries, json=json)


def _run(
    request: Request, output: Path | None, *, jobs: int | None, retries: int, json: bool
) -> NoReturn:
    from contextlib import ExitStack

    from lpharness.cli.live import RunView
    from lpharness.results.folder import RunFolder
    from lpharness.results.writers import write_reports
    from lpharness.run.cells import cells_of
    from lpharness.run.conductor import Conductor
    from lpharness.run.prepare import with_seed
    from lpharness.run.start import executors

    if output is not None:
        RunFolder.check(output)
    cells = cells_of(request, TerminalProgress())
    with ExitStack() as stack, RunView() as view:
        run = Conductor(
            with_seed(request),
            lambda: stack.enter_context(RunFolder.create(output)),
            view,
            retries=retries,
        )
        try:
            with executors(run.told, cells, jobs) as executor:
                run.run(cells, preparing=executor, trying=executor)
        finally:  # after Ctrl-C they show what was known by then
            if run.folder is not None:
                reports = write_reports(run.folder)
    assert run.folder is not None
    trials = [run.folder.trial(attempt.id).load() for attempt in run.attempts]
    show_trials(trials, run.folder, view, reports, json=json)


def _chosen(names: list[str], tags: list[str]) -> tuple[Case, ...]:
    from lpharness.base.errors import InputError
    from lpharness.cases import load, tagged

    if not names and not tags:
        raise InputError(
            "no case is named",
            hint="`lpharness case list` shows the bundled ones; --tag takes a set",
        )
    cases = [load(name) for name in names]
    return tuple(tagged(tags, cases if names else None) if tags else cases)
