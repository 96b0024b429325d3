"""``lpharness run``: try cases on kernels, and judge what was seen."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lpharness.cli.trials import run_and_show

if TYPE_CHECKING:
    from lpharness.cases import Case

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
    from lpharness.run import Request, execute, plan_run

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
    run_and_show(request, plan_run, execute, output, json=json)


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
