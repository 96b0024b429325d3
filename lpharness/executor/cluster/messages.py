"""What goes through Dask between who submits tasks and the hands that do them."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import zstandard
from msgspec import Struct

from lpharness.base.errors import HostError
from lpharness.executor.contract import How

CPUS, MEMORY, KVM = "lph-cpus", "lph-memory-mb", "lph-kvm"
"""Names of Dask resources; ``lph-x86_64`` is one of a worker of that architecture."""


class Order(Struct, frozen=True, kw_only=True):
    """What a worker is told to do."""

    key: str
    topic: str
    """Of the events that its news go to."""
    version: str
    """lpharness's own: the two sides share classes."""
    call: Any
    """With parcels in place of files."""


class Delivery(Struct, frozen=True, kw_only=True):
    """What a worker gives back."""

    how: How
    content: Any
    """What the call returned, or the error."""
    files: dict[str, bytes]
    """What it wrote, by path below its folder."""
    where: str


def packed(message: Any) -> bytes:
    """Return a message as bytes."""
    return zstandard.compress(pickle.dumps(message), level=1)


def unpacked(data: bytes) -> Any:
    """Return the message that `packed` made: both ends of the cluster are ours."""
    return pickle.loads(zstandard.decompress(data))  # noqa: S301


def read_files(folder: Path) -> dict[str, bytes]:
    """Return all plain files below a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def write_files(files: dict[str, bytes], folder: Path) -> None:
    """Write files below a folder that does not exist yet.

    Raises:
        HostError: one would lie elsewhere.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        path = folder / name
        if ".." in path.parts or not path.is_relative_to(folder):
            raise HostError(f"a worker sent a file that is not in its folder: {name!r}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
