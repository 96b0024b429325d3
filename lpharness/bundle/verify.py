"""Verifying a bundle before anything in it is believed: signature, checksums, then what it says."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from lpharness.base.errors import InputError
from lpharness.base.hashing import sha256_file
from lpharness.bundle import archive, checksums
from lpharness.bundle.create import STATEMENT
from lpharness.bundle.model import PREDICATE, Proof, ProvenKernel, Statement
from lpharness.bundle.model import STATEMENT as STATEMENT_TYPE
from lpharness.bundle.signing import GPG_SUFFIX, SSH_SUFFIX, Trust
from lpharness.results.folder import TrialFolder
from lpharness.results.model import Verdict


class Verified(Struct, frozen=True, kw_only=True):
    """A bundle that is what its signer made."""

    folder: Path
    """A copy of its files, which nobody else changes while the ``with`` block lasts."""
    statement: Statement
    signer: str

    @property
    def proof(self) -> Proof:
        """What it proves."""
        return self.statement.predicate


@contextmanager
def verified(bundle: Path, trust: Trust) -> Iterator[Verified]:
    """Give a bundle's content, verified; the copy is gone when the ``with`` block ends.

    Raises:
        InputError: it is no bundle, is not signed by anybody who is trusted, or a file in it is
            missing, changed or added; names the file.
        HostError: ``ssh-keygen`` or ``gpgv`` is not installed.
    """
    if not bundle.exists():
        raise InputError(f"{bundle} does not exist")
    with tempfile.TemporaryDirectory(prefix="lpharness-bundle-") as place:
        folder = Path(place) / "bundle"
        folder.mkdir()
        archive.unpack(bundle, folder)
        try:
            signer = _signer(folder, trust)
            checksums.hold(folder, beside=frozenset({checksums.NAME + trust.suffix}))
            statement = _read(folder)
        except InputError as error:
            raise InputError(f"{bundle}: {error.message}", hint=error.hint) from error
        yield Verified(folder=folder, statement=statement, signer=signer)


def _signer(folder: Path, trust: Trust) -> str:
    """Return who signed the checksums; nothing else is opened before that is known."""
    sums = folder / checksums.NAME
    if not sums.is_file():
        raise InputError(f"no bundle: it has no {checksums.NAME}")
    if not (folder / (sums.name + trust.suffix)).is_file():
        others = {SSH_SUFFIX: "--allowed-signers", GPG_SUFFIX: "--keyring"}
        for suffix, option in others.items():
            if (folder / (sums.name + suffix)).is_file():
                raise InputError(
                    f"signed otherwise: {sums.name}{suffix}", hint=f"give {option} FILE"
                )
        raise InputError(f"not signed: it has no {sums.name}{trust.suffix}")
    return trust.signer(sums)


def _read(folder: Path) -> Statement:
    try:
        statement = msgspec.json.decode((folder / STATEMENT).read_bytes(), type=Statement)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InputError(f"{STATEMENT} says nothing that can be read: {error}") from error
    if (statement.type, statement.predicate_type) != (STATEMENT_TYPE, PREDICATE):
        raise InputError(
            f"{STATEMENT} is of another type: {statement.predicate_type}",
            hint="verify it with the lpharness that made it, or a newer one",
        )
    subjects = {subject.name: subject.digest.get("sha256") for subject in statement.subject}
    for kernel in statement.predicate.kernels:
        _hold_kernel(folder, kernel, subjects)
    if not statement.predicate.kernels:
        raise InputError(f"{STATEMENT} proves nothing")
    return statement


def _hold_kernel(folder: Path, kernel: ProvenKernel, subjects: dict[str, str | None]) -> None:
    """Hold what is said of one kernel against the subjects and the trials' own documents."""
    module = kernel.module
    file = folder / module.path
    found = sha256_file(file) if file.is_file() else ""
    if not found or {found, subjects.get(module.path)} != {module.sha256}:
        raise InputError(f"{module.path} is not the module that {STATEMENT} tells of")
    if not kernel.trials:
        raise InputError(f"{STATEMENT} names no trial on {kernel.release}")
    for trial in kernel.trials:
        document = TrialFolder(folder / trial.path).load()
        told = document.provenance
        if document.verdict is not Verdict.PASS or not document.finished:
            raise InputError(f"{trial.path} did not pass: {document.reason}")
        tried = (told.kernel_build, told.modules.get(module.name))
        if document.id.kernel != kernel.release or tried != (kernel.build, module.sha256):
            raise InputError(f"{trial.path} is of another kernel or module than {STATEMENT} says")
