"""``lpharness selftest``: the kernel's own livepatch tests, in guests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lpharness.cli.output import TerminalProgress, answers, print_json
from lpharness.cli.run import Accelerator
from lpharness.cli.storing import StoreOption
from lpharness.cli.trials import run_and_show

if TYPE_CHECKING:
    from lpharness.selftest.run import Available, Request

app = typer.Typer(add_completion=False)


@app.command()
def selftest(
    tests: Annotated[
        list[str],
        typer.Argument(
            metavar="[TEST]...",
            help="Patterns of programs (state, 'test-s*') or of the tests in them; a program runs "
            "as a whole. Default: all.",
        ),
    ] = [],  # noqa: B006 — typer copies it
    *,
    kernel: Annotated[
        list[str],
        typer.Option("-k", "--kernel", help="As for `run`. May be given more than once."),
    ],
    listing: Annotated[
        bool, typer.Option("--list", help="Show what tests there are; boot nothing.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="Folder for the results. Default: a new one below results/."
        ),
    ] = None,
    store: StoreOption = None,
    backend: Annotated[str, typer.Option(help="qemu or libvirt.")] = "qemu",
    uri: Annotated[
        str | None, typer.Option(help="libvirt's connection, for example qemu:///system.")
    ] = None,
    accelerator: Annotated[
        Accelerator, typer.Option(help="Who runs the guest's code.")
    ] = Accelerator.AUTO,
    cpus: Annotated[int, typer.Option(min=1, max=64, help="The guest's CPUs.")] = 2,
    memory: Annotated[int, typer.Option(min=128, help="The guest's memory, MiB.")] = 512,
    fresh: Annotated[bool, typer.Option(help="Boot for each program; use no snapshot.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Run the kernel's own livepatch tests, taken from exactly the source that it was built from.

    Each test program runs by kselftest's runner in a guest of its own; besides what it says itself,
    the kernel's console and the guest's one life are judged.

    Examples: lpharness selftest -k debian:6.12-cloud

    lpharness selftest state sysfs -k debian:6.1-cloud -k debian:6.12-cloud

    Exit status: 0 all well; 1 a verdict is fail; 2 bad input; 3 nobody could say.
    """
    from lpharness.selftest.run import Request, execute, plan_selftests

    request = Request(
        kernels=tuple(kernel),
        patterns=tuple(tests),
        backend=backend,
        uri=uri,
        accelerator=accelerator.value,
        cpus=cpus,
        memory_mb=memory,
        fresh=fresh,
    )
    if listing:
        _show(request, json=json)
        return
    run_and_show(request, plan_selftests, execute, output, store=store, json=json)


def _show(request: Request, *, json: bool) -> None:
    from lpharness.selftest.run import available

    found = available(request, TerminalProgress())
    if json:
        print_json({"kernels": found})
        return
    for kernel in found:
        _show_kernel(kernel)


def _show_kernel(found: Available) -> None:
    out = answers()
    count = sum(len(program.tests) for program in found.programs)
    out.print(f"{found.kernel}: {count} tests in {len(found.programs)} programs", soft_wrap=True)
    if found.lacks:
        out.print(f"  skipped there: the kernel lacks {found.lacks}", soft_wrap=True)
    for program in found.programs:
        out.print(f"  {program.name}", markup=False, soft_wrap=True)
        for test in program.tests:
            out.print(f"    {test}", markup=False, soft_wrap=True)
