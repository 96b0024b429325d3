"""``lpharness vmcore``: what the kept memory of a guest tells."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from lpharness.cli.output import TerminalProgress, answers, print_json

if TYPE_CHECKING:
    from rich.console import Console

    from lpharness.vmcore import MemoryReport
    from lpharness.vmcore.read import Task

app = typer.Typer(add_completion=False)

_SIDES: dict[int | None, str] = {0: ", unpatched", 1: ", patched"}


@app.command()
def vmcore(
    path: Path = typer.Argument(
        Path("results/latest"),
        metavar="[PATH]",
        help="A dump, a trial's folder, or a folder that `run --keep-vmcore` wrote.",
    ),
    kernel: str = typer.Option(
        None, "-k", "--kernel", metavar="KERNEL", help="Whose memory it is, if no trial tells."
    ),
    vmlinux: Path = typer.Option(None, metavar="FILE", help="Its kernel, with debug information."),
    lines: int = typer.Option(100, min=0, help="How much of the end of the kernel's log."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON document on stdout."),
) -> None:
    """Tell of a guest's memory who died, which livepatches are loaded, and who is in their way.

    Example: lpharness vmcore results/latest

    It takes drgn (pip install 'lpharness[drgn]') and the kernel's debug information: Debian's is
    fetched by `lpharness kernels fetch --debug`, a tree has it if it was built so.
    """
    from lpharness.vmcore import find_subject, open_core, read_memory

    progress = TerminalProgress()
    subject = find_subject(path, kernel=kernel, vmlinux=vmlinux, progress=progress)
    with progress.step(f"read {subject.core} with {subject.vmlinux}"):
        program = open_core(subject.core, subject.vmlinux, subject.modules)
        report = read_memory(program, lines=lines)
    if as_json:
        print_json(report)
    else:
        _print(report, answers())


def _print(report: MemoryReport, console: Console) -> None:
    for line in _told(report):
        console.print(line, markup=False)


def _told(report: MemoryReport) -> Iterator[str]:
    yield f"kernel {report.release}"
    yield ""
    if report.crashed is None:
        yield "the kernel has not panicked"
    else:
        yield "the kernel panicked in"
        yield from _task(report.crashed)
    yield ""
    yield from _patches(report)
    for title, tasks in (
        ("tasks that the transition waits for", report.waited_for),
        ("tasks that sleep and no signal wakes", report.uninterruptible),
    ):
        if tasks:
            yield ""
            yield title
            for task in tasks:
                yield from _task(task)
    if report.messages:
        yield ""
        yield "the kernel's last messages"
        yield from report.messages


def _patches(report: MemoryReport) -> Iterator[str]:
    yield "livepatches" if report.patches else "no livepatch is loaded"
    for patch in report.patches:
        state = "enabled" if patch.enabled else "disabled"
        if patch.in_transition:
            state += f", {'patching' if report.target else 'unpatching'} goes on"
        yield f"  {patch.module}: {state}" + (", replaces all others" if patch.replaces else "")
        yield from (f"    {function}" for function in patch.functions)


def _task(task: Task) -> Iterator[str]:
    side = {0: ", unpatched", 1: ", patched"}.get(
        -1 if task.patch_state is None else task.patch_state, ""
    )
    yield f"  {task.comm}:{task.pid} ({task.state}{side})"
    for number, frame in enumerate(task.stack):
        place = f" at {frame.place}" if frame.place else ""
        yield f"    #{number:<2} {frame.function}{place}{' (inlined)' if frame.inlined else ''}"
