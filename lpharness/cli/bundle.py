"""``lpharness bundle``: a livepatch with its proof, signed; and the verification of one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from lpharness.cli.output import print_json

if TYPE_CHECKING:
    from lpharness.bundle import Proof, Signer, Trust

_VERIFY = "verify"
_CREATE = "create"


class _CreateUnlessNamed(TyperGroup):
    """Takes everything that is not the name of a command for what is to be bundled."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the command's name in front where it was left out."""
        if args and args[0] not in (_VERIFY, _CREATE, *ctx.help_option_names):
            args = [_CREATE, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_CreateUnlessNamed,
    add_completion=False,
    no_args_is_help=True,
    help="Bundle a proven livepatch with its proof, signed (`create` may be left out); verify one.",
)

_JSON = typer.Option("--json", help="Print one JSON document on stdout.")


@app.command(_CREATE)
def create_bundle(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="RESULTS|CASE...",
            help="Folders that `run` wrote (default: results/latest), and the case, if there are "
            "trials of several.",
        ),
    ],
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="PATH",
            help="A new folder, or FILE.tar. Default: CASE.tar in the current folder.",
        ),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(
            "--key", metavar="FILE",
            help="Sign with this SSH key, or with the agent's if it is a public one.",
        ),
    ] = None,
    gpg_key: Annotated[
        str, typer.Option("--gpg-key", metavar="ID", help="Sign with this GnuPG key.")
    ] = "",
    kernel: Annotated[
        list[str],
        typer.Option(
            "-k", "--kernel", metavar="RELEASE",
            help="Only trials on this kernel (or pattern), of which there must be one. Repeatable.",
        ),
    ] = [],  # noqa: B006 — typer copies it
    module: Annotated[
        list[Path],
        typer.Option(
            "--module", metavar="FILE.ko", help="A module that was tried, if not in the cache."
        ),
    ] = [],  # noqa: B006
    json: Annotated[bool, _JSON] = False,
) -> None:  # fmt: skip
    """Bundle the livepatch of a case with its proof, signed with your key.

    Every trial of the case in the results must have passed, also by today's checks.

    Examples: lpharness bundle cmdline --key ~/.ssh/id_ed25519

    lpharness bundle results/run-1 results/run-2 -o fix.tar --gpg-key release@example.org
    """
    from lpharness.bundle import create
    from lpharness.bundle.choose import choose

    signer = _signer(key, gpg_key)
    chosen = choose(what, kernel)
    path = output or Path(f"{chosen[0][1].id.case}.tar")
    statement = create(chosen, path, signer, modules=module)
    if json:
        print_json({"bundle": path, "statement": statement})
        return
    typer.echo(path)
    _print(statement.predicate)


@app.command(_VERIFY)
def verify_bundle(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A bundle: folder or tar file.")],
    *,
    allowed_signers: Annotated[
        Path | None,
        typer.Option(
            "--allowed-signers", metavar="FILE",
            help="Whose SSH signatures are believed: see ALLOWED SIGNERS in ssh-keygen(1).",
        ),
    ] = None,
    keyring: Annotated[
        Path | None,
        typer.Option("--keyring", metavar="FILE", help="GnuPG public keys that are believed."),
    ] = None,
    json: Annotated[bool, _JSON] = False,
) -> None:  # fmt: skip
    """Verify a bundle: who signed it, that every file is what was signed, and what it proves.

    Example: lpharness bundle verify cmdline.tar --allowed-signers signers

    Exit status: 0 it is what a trusted signer made; 2 it is not, and must not be used.
    """
    from lpharness.bundle import verified

    with verified(bundle, trust(allowed_signers, keyring)) as found:
        if json:
            print_json({"signer": found.signer, "statement": found.statement})
            return
        typer.echo(f"signed by {found.signer}")
        _print(found.proof)


def trust(allowed_signers: Path | None, keyring: Path | None) -> Trust:
    """Return whose signatures are believed: exactly one of the two must be given."""
    from lpharness.base.errors import InputError
    from lpharness.bundle import AllowedSigners, Keyring

    if allowed_signers is not None and keyring is None:
        return AllowedSigners(allowed_signers)
    if keyring is not None and allowed_signers is None:
        return Keyring(keyring)
    raise InputError(
        "nobody says whose signature is to be believed",
        hint="give --allowed-signers FILE (SSH) or --keyring FILE (GnuPG), one of them",
    )


def _signer(key: Path | None, gpg_key: str) -> Signer:
    from lpharness.base.errors import InputError
    from lpharness.bundle import GpgKey, SshKey

    if key is not None and not gpg_key:
        return SshKey(key)
    if gpg_key and key is None:
        return GpgKey(gpg_key)
    raise InputError(
        "a bundle is signed, and no key is named",
        hint="give --key FILE (SSH) or --gpg-key ID (GnuPG), one of them",
    )


def _print(proof: Proof) -> None:
    typer.echo(f"{proof.case}: {proof.title}")
    for kernel in proof.kernels:
        typer.echo(f"  {kernel.release}  {kernel.build}")
        typer.echo(f"    {kernel.module.path}  sha256 {kernel.module.sha256}")
        for trial in kernel.trials:
            asked = f"{len(trial.checks)} checks"
            typer.echo(f"    {trial.verdict}  {trial.workload}, {trial.accelerator}, {asked}")
