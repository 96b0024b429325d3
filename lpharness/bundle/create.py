"""Making a bundle: proven first, laid out, summed up, signed, and only then put in its place."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from lpharness.base.errors import HostError, InputError
from lpharness.bundle import archive, checksums
from lpharness.bundle.choose import Chosen
from lpharness.bundle.model import Statement, Subject
from lpharness.bundle.prove import prove
from lpharness.bundle.signing import Signer

STATEMENT = "statement.json"


def create(
    chosen: Sequence[Chosen], output: Path, signer: Signer, *, modules: Sequence[Path] = ()
) -> Statement:
    """Write a bundle of trials, and return what it says.

    Args:
        chosen: all trials of one case that it is to prove.
        output: a folder that is not there yet, or a file whose name ends in ``.tar``.
        signer: whose signature it gets.
        modules: files of the modules that were tried, where the cache may have lost them.

    Raises:
        InputError: something is not proven, the output exists, or the key cannot be used.
        HostError: it cannot be written.
    """
    if output.exists() or output.is_symlink():
        raise InputError(f"{output} exists already", hint="name a new file or folder")
    proof, files = prove(chosen, modules)
    statement = Statement(
        subject=tuple(
            Subject(name=kernel.module.path, digest={"sha256": kernel.module.sha256})
            for kernel in proof.kernels
        ),
        predicate=proof,
    )
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".bundle-", dir=output.parent) as aside:
            folder = Path(aside) / "bundle"
            _lay_out(folder, statement, files)
            signer.sign(checksums.write(folder))
            _place(folder, output, proof.case)
    except OSError as error:
        raise HostError(f"cannot write {output}: {error.strerror or error}") from error
    return statement


def _lay_out(folder: Path, statement: Statement, files: Mapping[str, Path]) -> None:
    for name, file in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    encoded = msgspec.json.format(msgspec.json.encode(statement), indent=2)
    (folder / STATEMENT).write_bytes(encoded + b"\n")


def _place(folder: Path, output: Path, name: str) -> None:
    if output.suffix != ".tar":
        folder.rename(output)
        return
    packed = folder.with_name(output.name)
    archive.pack(folder, packed, name)
    packed.rename(output)
