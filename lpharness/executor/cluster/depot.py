"""A depot of files at Dask's scheduler: clients bring what it lacks, workers take what they do."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distributed import Worker
from distributed.diagnostics.plugin import SchedulerPlugin
from distributed.utils import sync

from lpharness.base.errors import HostError
from lpharness.base.hashing import sha256_file

if TYPE_CHECKING:
    from distributed import Client, Scheduler

PIECE = 8 << 20
"""Bytes in one message: more would hold up the scheduler's other work."""


class Depot(SchedulerPlugin):
    """Lives in the scheduler, and ends with it."""

    name = "lpharness-depot"
    idempotent = True

    async def start(self, scheduler: Scheduler) -> None:
        """Open it."""
        self._place = tempfile.TemporaryDirectory(prefix="lpharness-depot-")
        self._folder = Path(self._place.name)
        scheduler.handlers["lpharness_lacks"] = self.lacks
        scheduler.handlers["lpharness_put"] = self.put
        scheduler.handlers["lpharness_get"] = self.get

    async def close(self) -> None:
        """Remove it."""
        self._place.cleanup()

    async def lacks(self, sums: Sequence[str]) -> list[str]:
        """Return which of some contents are not there, by their SHA-256."""
        return [sum_ for sum_ in sums if not (self._folder / sum_).is_file()]

    async def put(self, sum_: str, sender: str, data: bytes, last: bool) -> None:
        """Take the next piece of a content; with the last it is there."""
        aside = self._folder / f"{sum_}.{sender}"
        with aside.open("ab") as file:
            file.write(data)
        if last:
            if sha256_file(aside) == sum_:
                aside.rename(self._folder / sum_)
            else:
                aside.unlink()

    async def get(self, sum_: str, at: int) -> bytes:
        """Return the piece of a content that begins at a byte; empty at its end."""
        with (self._folder / sum_).open("rb") as file:
            file.seek(at)
            return file.read(PIECE)


def bring(client: Client, files: dict[str, Path]) -> None:
    """Bring files to the depot, by their SHA-256; those that it lacks."""
    lacking: list[str] = _ask(client, "lacks", sums=list(files))
    for sum_ in lacking:
        with files[sum_].open("rb") as file:
            piece, following = file.read(PIECE), file.read(PIECE)
            while True:
                _ask(client, "put", sum_=sum_, sender=client.id, data=piece, last=not following)
                if not following:
                    break
                piece, following = following, file.read(PIECE)
    if _ask(client, "lacks", sums=lacking):
        raise HostError("a file changed while it was sent to the scheduler")


def take(worker: Worker, sum_: str) -> Iterator[bytes]:
    """Yield a content from the depot, piece by piece."""
    at = 0
    while True:
        piece = sync(worker.loop, worker.scheduler.lpharness_get, sum_=sum_, at=at)
        if not piece:
            return
        yield bytes(piece)
        at += len(piece)


def _ask(client: Client, what: str, **arguments: Any) -> Any:
    call = getattr(client.scheduler, f"lpharness_{what}")
    return client.sync(call, **arguments)
