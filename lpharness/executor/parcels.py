"""The files that a call names, sent by content: what is there already is not sent again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from lpharness.base.cache import Cache
from lpharness.base.errors import HostError
from lpharness.base.hashing import identity, sha256_file

_KIND = "parcels"


class Parcel(Struct, frozen=True, kw_only=True):
    """Stands for a file in a call that goes elsewhere."""

    sha256: str
    name: str
    """Its last component: a module is known by it."""
    executable: bool


class Packer:
    """Puts parcels in place of files; knows what it has read before."""

    def __init__(self) -> None:
        self._known: dict[tuple[Path, int, int], str] = {}

    def pack(self, call: Any) -> tuple[Any, dict[str, Path]]:
        """Return a call without files, and by their SHA-256 the files that it had.

        Only absolute paths of plain files are files; folders are not sent.
        """
        files: dict[str, Path] = {}

        def parcel(path: Any) -> Any:
            if not isinstance(path, Path) or not path.is_absolute() or not path.is_file():
                return path
            sum_ = self._sum(path)
            files[sum_] = path
            return Parcel(sha256=sum_, name=path.name, executable=os.access(path, os.X_OK))

        return _mapped(call, parcel), files

    def _sum(self, path: Path) -> str:
        status = path.stat()
        key = (path, status.st_size, status.st_mtime_ns)
        if key not in self._known:
            self._known[key] = sha256_file(path)
        return self._known[key]


Fetch = Callable[[str], Iterable[bytes]]
"""Yields the content that has a SHA-256, piece by piece."""


def unpack(call: Any, fetch: Fetch, cache: Cache | None = None) -> Any:
    """Return a call with its files, in this machine's cache.

    Raises:
        HostError: what came is not what was sent, or there is no space left.
    """
    store = cache or Cache()

    def unpacked(value: Any) -> Any:
        return _obtain(value, fetch, store) if isinstance(value, Parcel) else value

    return _mapped(call, unpacked)


def _obtain(parcel: Parcel, fetch: Fetch, cache: Cache) -> Path:
    def build(folder: Path) -> None:
        path = folder / parcel.name
        with path.open("wb") as file:
            for piece in fetch(parcel.sha256):
                file.write(piece)
        if sha256_file(path) != parcel.sha256:
            raise HostError(f"{parcel.name} came otherwise than it was sent")
        path.chmod(0o755 if parcel.executable else 0o644)

    key = identity(parcel.sha256, parcel.name, int(parcel.executable))
    return cache.get(_KIND, key, build) / parcel.name


def _mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return a value with everything in it changed; what has nothing to change stays the same."""
    if isinstance(value, Struct):
        fields = {name: getattr(value, name) for name in value.__struct_fields__}
        changed = {name: _mapped(item, change) for name, item in fields.items()}
        differing = {name: changed[name] for name in fields if changed[name] is not fields[name]}
        return msgspec.structs.replace(value, **differing) if differing else change(value)
    if isinstance(value, dict):
        mapped = {key: _mapped(item, change) for key, item in value.items()}
        return mapped if any(mapped[key] is not value[key] for key in value) else value
    if type(value) in (tuple, list):
        items = [_mapped(item, change) for item in value]
        same = all(new is old for new, old in zip(items, value, strict=True))
        return value if same else type(value)(items)
    return change(value)
