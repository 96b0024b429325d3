"""What each attempt of a run came to, one line each as it ends: ``attempts.jsonl``.

Everything is in the trials' documents as well; this is what can be read in a moment when a run of
ten thousand goes on, and when the next one asks what failed last time and how long things take.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from lpharness.results.files import write_atomically
from lpharness.results.model import TrialId, Verdict

FILE_NAME = "attempts.jsonl"


class Attempt(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One attempt of a trial, in short."""

    id: TrialId
    verdict: Verdict
    reason: str = ""
    seconds: float = 0.0
    where: str = ""
    """Who carried it out."""
    last: bool = True
    """Whether the trial is not tried again."""


class AttemptLog:
    """The file, written by the run's one writer."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME

    def begin(self) -> None:
        """Start afresh.

        Raises:
            HostError: the folder cannot be written.
        """
        write_atomically(self._path, b"")

    def add(self, attempt: Attempt) -> None:
        """Write a line; whole in one call, so that a kill cuts at most the last."""
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(attempt) + b"\n")


def read_attempts(folder: Path) -> Iterator[Attempt]:
    """Yield the attempts of a run in the order in which they ended.

    A line that a kill cut short, or that a newer lpharness wrote, is passed over.
    """
    try:
        lines: Iterable[bytes] = (folder / FILE_NAME).read_bytes().splitlines()
    except OSError:
        return
    decoder = msgspec.json.Decoder(Attempt)
    for line in lines:
        try:
            yield decoder.decode(line)
        except msgspec.MsgspecError:
            continue
