"""Signatures of a file, made and checked by OpenSSH or GnuPG: nothing here knows cryptography.

Both sign beside the file, in the form that their own tools check: ``FILE.sig`` by ``ssh-keygen -Y
verify``, ``FILE.asc`` by ``gpgv``.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from lpharness.base.errors import HostError, InputError
from lpharness.base.process import find_tool

NAMESPACE = "lpharness"
"""What an SSH signature is for, so that one made for something else is not taken for ours."""
SSH_SUFFIX, GPG_SUFFIX = ".sig", ".asc"


class Signer(Protocol):
    """Somebody who signs."""

    def sign(self, file: Path) -> Path:
        """Write the signature beside the file and return where.

        Raises:
            InputError: the key is not there, or cannot be used.
            HostError: the tool is not installed.
        """


class Trust(Protocol):
    """Whose signatures are believed."""

    suffix: str
    """Of the signatures that it can check."""

    def signer(self, file: Path) -> str:
        """Return who signed the file.

        Raises:
            InputError: nobody who is trusted, or the file is another.
            HostError: the tool is not installed.
        """


class SshKey(Struct, frozen=True):
    """An SSH key: a private one, or a public one whose private half an agent has."""

    path: Path

    def sign(self, file: Path) -> Path:
        """See `Signer`."""
        if not self.path.is_file():
            raise InputError(f"{self.path}: there is no such key", hint="ssh-keygen -t ed25519")
        words = ["ssh-keygen", "-q", "-Y", "sign", "-f", str(self.path), "-n", NAMESPACE, str(file)]
        done = _run(words, package="openssh-client")
        signature = file.with_name(file.name + SSH_SUFFIX)
        if done.returncode or not signature.is_file():
            raise InputError(f"{self.path} cannot sign: {_last_words(done)}")
        return signature


class GpgKey(Struct, frozen=True):
    """A GnuPG key, by its id, fingerprint or user."""

    id: str

    def sign(self, file: Path) -> Path:
        """See `Signer`."""
        signature = file.with_name(file.name + GPG_SUFFIX)
        words = ["gpg", "--quiet", "--local-user", self.id, "--armor", "--detach-sign"]
        done = _run([*words, "--output", str(signature), str(file)], package="gnupg")
        if done.returncode or not signature.is_file():
            raise InputError(f"the GnuPG key {self.id} cannot sign: {_last_words(done)}")
        return signature


class AllowedSigners(Struct, frozen=True):
    """A file as ssh-keygen(1) describes under ALLOWED SIGNERS."""

    path: Path
    suffix = SSH_SUFFIX

    def signer(self, file: Path) -> str:
        """See `Trust`."""
        _check_readable(self.path)
        signature = file.with_name(file.name + SSH_SUFFIX)
        common = ["-s", str(signature), "-f", str(self.path)]
        found = _run(["ssh-keygen", "-Y", "find-principals", *common], package="openssh-client")
        if found.returncode:
            raise InputError(
                f"{file.name} is signed by nobody in {self.path}: {_last_words(found)}",
                hint="get the signer's public key from the signer, not from the bundle",
            )
        principal = found.stdout.decode(errors="replace").splitlines()[0].split(",")[0]
        words = ["ssh-keygen", "-Y", "verify", "-n", NAMESPACE, "-I", principal, *common]
        done = _run(words, package="openssh-client", given=file.read_bytes())
        if done.returncode:
            raise InputError(f"{file.name} is not what was signed: {_last_words(done)}")
        return principal


class Keyring(Struct, frozen=True):
    """A keyring of GnuPG public keys; every key in it is trusted."""

    path: Path
    suffix = GPG_SUFFIX

    def signer(self, file: Path) -> str:
        """See `Trust`."""
        _check_readable(self.path)
        signature = file.with_name(file.name + GPG_SUFFIX)
        with tempfile.TemporaryDirectory(prefix="lpharness-keyring-") as place:
            keyring = self._binary(Path(place))
            words = ["gpgv", "--status-fd", "1", "--keyring", str(keyring), str(signature)]
            done = _run([*words, str(file)], package="gpgv")
        told = done.stdout.decode(errors="replace")
        good = re.search(r"^\[GNUPG:\] GOODSIG \S+ (.+)$", told, re.MULTILINE)
        if done.returncode or good is None:
            changed = "BADSIG" in told
            what = "is not what was signed" if changed else f"is signed by nobody in {self.path}"
            raise InputError(f"{file.name} {what}: {_last_words(done)}")
        return good[1]

    def _binary(self, place: Path) -> Path:
        """Return the keyring in the form that gpgv reads, written to a place if need be."""
        content = self.path.read_bytes()
        if not content.startswith(b"-----BEGIN"):
            return self.path.absolute()
        done = _run(["gpg", "--dearmor"], package="gnupg", given=content)
        if done.returncode:
            raise InputError(f"{self.path} is no keyring: {_last_words(done)}")
        binary = place / "keyring.gpg"
        binary.write_bytes(done.stdout)
        return binary


def _check_readable(path: Path) -> None:
    try:
        path.open("rb").close()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error


def _run(
    words: Sequence[str], *, package: str, given: bytes | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run a tool, which may ask its user for a passphrase on the terminal."""
    program = find_tool(words[0])
    if program is None:
        raise HostError(f"{words[0]} is not installed", hint=f"apt install {package}")
    return subprocess.run([program, *words[1:]], input=given, capture_output=True, check=False)


def _last_words(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else f"exit status {done.returncode}"
