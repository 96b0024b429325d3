"""``lpharness run``: try cases on kernels, and judge what was seen."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click
import typer

from lpharness.cli.output import TerminalProgress
from lpharness.cli.storing import StoreOption

if TYPE_CHECKING:
    from lpharness.cases import Case
    from lpharness.run import Request
    from lpharness.run.layout import Layout

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
    ] = [],  # noqa: B006 — typer copies it
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
    model: Annotated[
        list[str],
        typer.Option(
            "-m",
            "--model",
            help="By which rule tasks move: immediate, ksplice, kpatch, kgraft, or the kernel's "
            "own, hybrid (default). Repeatable.",
        ),
    ] = [],  # noqa: B006
    matrix: Annotated[
        Path | None,
        typer.Option("--matrix", help="A file that lays out a whole release (docs/matrix.md)."),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option("--resume", help="Folder of a run that was interrupted: go on with it."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be tried, and how long it takes.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="Folder for the results. Default: a new one below results/."
        ),
    ] = None,
    store: StoreOption = None,
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
    executor: Annotated[
        str | None,
        typer.Option(help="dask://HOST:PORT: trials on a cluster (docs/cluster.md)."),
    ] = None,
    retries: Annotated[
        int | None,
        typer.Option(
            min=0, help="How often a trial is tried again that nobody could judge. Default: 1."
        ),
    ] = None,
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
        bool,
        typer.Option(
            help="Keep the guest's memory when its kernel dies or oopses, or a transition stalls."
        ),
    ] = False,
    beats: Annotated[
        bool,
        typer.Option(
            "--beats",
            help="Heartbeats in the guest's kernel as well: who stood still for how long, finer "
            "than a millisecond where the host allows (docs/compare.md).",
        ),
    ] = False,
    seed: Annotated[int | None, typer.Option(help="For what is random; default: random.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Try cases on kernels under workloads, and judge what was seen.

    Examples: lpharness run cmdline hot-syscall -k debian:6.1-cloud -k debian:6.12-cloud

    lpharness run --tag quick -k debian:6.1-cloud

    lpharness run --matrix release.toml --dry-run

    Exit status: 0 all well; 1 a verdict is fail; 2 bad input; 3 nobody could say.
    """
    import msgspec

    from lpharness.cli.conduct import conduct
    from lpharness.cli.dry_run import show_plan

    named = [*cases, *tag, *(f"-k {name}" for name in kernel), *(f"-w {name}" for name in workload)]
    named += [f"-m {name}" for name in model]
    if resume is not None:
        _refuse_beside("--resume", named, matrix, output)
        layout = _resumed(resume)
    elif matrix is not None:
        _refuse_beside("--matrix", named)
        layout = _of_matrix(matrix, output, store)
    else:
        from lpharness.run import Request

        request = Request(
            cases=_chosen(cases, tag),
            kernels=_named(kernel),
            workloads=tuple(workload),
            variants=tuple(variant),
            models=tuple(model) or ("hybrid",),
            repeat=repeat,
            backend=backend,
            uri=uri,
            accelerator=accelerator.value,
            cpus=cpus,
            memory_mb=memory,
            fresh=fresh,
            keep_memory=keep_vmcore,
            seed=seed,
            beats=beats,
        )
        layout = _of_request(request, output)
    if retries is not None:
        layout = msgspec.structs.replace(layout, retries=retries)
    folder = output if resume is None else resume
    if dry_run:
        show_plan(layout, folder, jobs, json=json, store=store)
    else:
        go_on = resume is not None
        conduct(layout, folder, jobs=jobs, cluster=executor, go_on=go_on, json=json, store=store)


def _resumed(folder: Path) -> Layout:
    from lpharness.results.folder import RunFolder
    from lpharness.run.layout import resumed

    RunFolder.open(folder)
    return resumed(folder)


def _of_matrix(file: Path, output: Path | None, store: str | None) -> Layout:
    """Return the layout of a matrix, in the order that finds failures early."""
    from lpharness.results.folder import RunFolder
    from lpharness.run.matrix import lay_out
    from lpharness.run.order import failures_first
    from lpharness.run.remembered import history_for

    if output is not None:
        RunFolder.check(output)
    layout = lay_out(file, TerminalProgress())
    return failures_first(layout, history_for(layout, output, store))


def _of_request(request: Request, output: Path | None) -> Layout:
    """Return the layout of what was typed, in the order in which it was."""
    from lpharness.results.folder import RunFolder
    from lpharness.run.cells import cells_of
    from lpharness.run.layout import typed
    from lpharness.run.prepare import with_seed

    if output is not None:
        RunFolder.check(output)
    return typed(with_seed(request), cells_of(request, TerminalProgress()))


def _refuse_beside(
    option: str, named: list[str], matrix: Path | None = None, output: Path | None = None
) -> None:
    from lpharness.base.errors import InputError

    others = [*named, *(["--matrix"] if matrix else []), *(["--output"] if output else [])]
    if others:
        raise InputError(
            f"{option} says what is tried: {others[0]} cannot be beside it",
            hint="of how it is done, -j and --retries can",
        )


def _wrong_usage(text: str) -> click.UsageError:
    """Return what shows how the command is used, as where an option that must be is missing."""
    return click.UsageError(text, ctx=click.get_current_context())


def _named(kernels: list[str]) -> tuple[str, ...]:
    if not kernels:
        raise _wrong_usage("no kernel is named: for example -k debian:6.1-cloud")
    return tuple(kernels)


def _chosen(names: list[str], tags: list[str]) -> tuple[Case, ...]:
    from lpharness.cases import load, tagged

    if not names and not tags:
        raise _wrong_usage(
            "no case is named: `lpharness case list` shows the bundled ones, --tag takes a set"
        )
    cases = [load(name) for name in names]
    return tuple(tagged(tags, cases if names else None) if tags else cases)
