"""``lpharness export ansible``: what is proven, for the tool that brings it to machines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lpharness.cli.bundle import trust
from lpharness.cli.output import print_json


def ansible(
    bundles: Annotated[
        list[Path],
        typer.Argument(metavar="BUNDLE...", help="Of one livepatch, for different kernels."),
    ],
    *,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="A folder that is not there yet.")
    ],
    allowed_signers: Annotated[
        Path | None,
        typer.Option("--allowed-signers", metavar="FILE", help="As for `lpharness bundle verify`."),
    ] = None,
    keyring: Annotated[
        Path | None,
        typer.Option("--keyring", metavar="FILE", help="As for `lpharness bundle verify`."),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document on stdout.")
    ] = False,
) -> None:
    """Write an Ansible role that rolls a proven livepatch out, a playbook and an inventory.

    The bundles are verified now, and by the role again each time it is run. lpharness itself goes
    to no machine but its guests: ansible-playbook does.

    Example: lpharness export ansible my-fix.tar -o rollout --allowed-signers signers
    """
    from lpharness.rollout import export_ansible

    kernels = export_ansible(bundles, trust(allowed_signers, keyring), output)
    if json:
        print_json({"output": output, "kernels": kernels})
        return
    typer.echo(output)
    for kernel in kernels:
        typer.echo(f"  {kernel.release}  {kernel.build}  sha256 {kernel.sha256[:12]}…")
