"""A run with trials that passed, as a bundle wants them, and keys to sign with."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import msgspec
from checks_replay_test import write
from checks_samples import MODULE, OLD, clean
from elf_support import Func, Obj, Shape, module

from lpharness.base.hashing import sha256_file
from lpharness.checks.contract import Recording
from lpharness.results.folder import RunFolder, TrialFolder
from lpharness.results.model import Provenance

BUILD = "#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16)"
SIGNER = "release@example.org"


class Scene:
    """A folder with a livepatch, a key that is believed and one that is not, and runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.module = module(Shape([Obj(None, [Func(OLD)])]), folder)
        self.key = make_key(folder / "key")
        self.stranger = make_key(folder / "stranger")
        self.signers = allow(self.key, folder / "signers")

    def provenance(self, **changes: Any) -> Provenance:
        told = Provenance(
            kernel_release="6.1.0-56-cloud-amd64",
            kernel_build=BUILD,
            modules={MODULE: sha256_file(self.module)},
            module_sources={MODULE: "5" * 64},
            compiler="gcc-12",
            accelerator="tcg",
        )
        return msgspec.structs.replace(told, **changes)

    def trial(self, run: str = "run", recording: Recording | None = None, **document: Any) -> Path:
        """Write a trial that passed, but for what is given otherwise; return the run's folder."""
        recording = recording or clean()
        document.setdefault("provenance", self.provenance())
        document.setdefault("started_at", "2026-11-25T10:00:00+00:00")
        with RunFolder.create(self.folder / run) as folder:
            write(folder.trial(recording.id), recording, **document)
        return self.folder / run

    def trials(self, run: str = "run") -> list[TrialFolder]:
        return RunFolder.open(self.folder / run).folders()


def make_key(path: Path) -> Path:
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)]
    subprocess.run(words, check=True)
    return path


def allow(key: Path, path: Path, options: str = "") -> Path:
    path.write_text(f"{SIGNER} {options}{key.with_name(key.name + '.pub').read_text()}")
    return path
