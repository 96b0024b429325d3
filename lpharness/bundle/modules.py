"""Finding the very module that was tried: by its checksum, not by its name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from lpharness.base.cache import Cache
from lpharness.base.errors import InputError
from lpharness.base.hashing import sha256_file

_KINDS = ("modules", "livepatches")
"""Of the cache: what was built from C, and from source diffs."""


def find_module(
    name: str, sha256: str, places: Sequence[Path] = (), cache: Cache | None = None
) -> Path:
    """Return the file of a module that has a checksum.

    Args:
        name: the module's.
        sha256: of the file wanted.
        places: files, and folders with files, that are looked at before the cache.
        cache: where built modules are kept.

    Raises:
        InputError: it is nowhere.
    """
    for file in _candidates(name, places, cache or Cache()):
        if file.is_file() and sha256_file(file) == sha256:
            return file
    raise InputError(
        f"the module {name} that was tried (SHA-256 {sha256[:12]}…) is neither given nor cached",
        hint="give its file (--module FILE.ko), or run the trials again",
    )


def _candidates(name: str, places: Sequence[Path], cache: Cache) -> Iterator[Path]:
    for place in places:
        yield place / f"{name}.ko" if place.is_dir() else place
    for kind in _KINDS:
        for entry in cache.entries(kind):
            yield entry / f"{name}.ko"
