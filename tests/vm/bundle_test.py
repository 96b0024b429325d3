"""From a trial in a guest to a signed bundle, as a user types it; with OpenSSH and with GnuPG."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_support import KERNEL, complaint, lpharness

SIGNER = "release@example.org"


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with results/latest, an SSH key, and who is allowed to sign."""
    folder = tmp_path_factory.mktemp("bundle")
    tried = lpharness("run", "cmdline", "-k", KERNEL, cwd=folder)
    assert tried.returncode == 0, tried.stderr
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "key"]
    subprocess.run(words, cwd=folder, check=True)
    (folder / "signers").write_text(f"{SIGNER} {(folder / 'key.pub').read_text()}")
    return folder


def test_a_bundle_signed_with_ssh(work: Path) -> None:
    made = lpharness("bundle", "cmdline", "--key", "key", cwd=work)
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith("cmdline.tar\ncmdline: /proc/cmdline replaced\n")
    seen = lpharness("bundle", "verify", "cmdline.tar", "--allowed-signers", "signers", cwd=work)
    assert seen.returncode == 0, seen.stderr
    assert seen.stdout.startswith(f"signed by {SIGNER}\n")
    assert "#1 SMP PREEMPT_DYNAMIC Debian" in seen.stdout  # the guest's own uname -v
    again = lpharness("bundle", "cmdline", "--key", "key", cwd=work)
    assert complaint(again, 2).startswith("lpharness: cmdline.tar exists already\n")


def test_what_is_missing_is_asked_for(work: Path) -> None:
    unsigned = lpharness("bundle", "results/latest", "-o", "x", cwd=work)
    assert "no key is named" in complaint(unsigned, 2)
    unknown = lpharness("bundle", "verify", "results", cwd=work)
    assert "whose signature is to be believed" in complaint(unknown, 2)
    other = lpharness("bundle", "stall", "--key", "key", cwd=work)
    assert "results/latest holds no trial of stall" in complaint(other, 2)
    assert not (work / "x").exists()


@pytest.fixture
def gpg(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A GnuPG of this test's own, with a short path as its socket needs."""
    with tempfile.TemporaryDirectory(prefix="gpg-") as home:
        monkeypatch.setenv("GNUPGHOME", home)
        new = ["gpg", "--quiet", "--batch", "--passphrase", "", "--quick-generate-key", SIGNER]
        subprocess.run(new, check=True)
        yield
        subprocess.run(["gpgconf", "--kill", "all"], check=True)


@pytest.mark.usefixtures("gpg")
def test_a_bundle_signed_with_gnupg(work: Path) -> None:
    made = lpharness("bundle", "results/latest", "-o", "gpg", "--gpg-key", SIGNER, cwd=work)
    assert made.returncode == 0, made.stderr
    for form in (["--armor"], []):  # gpgv itself takes only the second
        exported = ["gpg", "--export", *form, "--yes", "--output", "keys.gpg", SIGNER]
        subprocess.run(exported, cwd=work, check=True)
        seen = lpharness("bundle", "verify", "gpg", "--keyring", "keys.gpg", cwd=work)
        assert seen.stdout.startswith(f"signed by {SIGNER}\n"), seen.stderr
    with (work / "gpg" / "statement.json").open("a") as file:
        file.write("\n")
    spoilt = lpharness("bundle", "verify", "gpg", "--keyring", "keys.gpg", cwd=work)
    assert "gpg: statement.json is not what was signed" in complaint(spoilt, 2)
    nobody = lpharness("bundle", "verify", "gpg", "--keyring", "signers", cwd=work)
    assert "is signed by nobody in signers" in complaint(nobody, 2)
