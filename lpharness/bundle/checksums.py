"""``SHA256SUMS``: what is signed, and through it every other file; coreutils can read it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from lpharness.base.errors import InputError
from lpharness.base.hashing import sha256_file

NAME = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64})  (.+)")
_HINT = "get the bundle again; do not use this one"


def write(folder: Path) -> Path:
    """Write the checksums of all files below a folder, by name; return where."""
    lines = [f"{sha256_file(folder / name)}  {name}\n" for name in _names(folder)]
    path = folder / NAME
    path.write_text("".join(lines))
    return path


def hold(folder: Path, *, beside: frozenset[str]) -> None:
    """Hold a folder against its checksums; ``beside`` are the files that need none.

    Raises:
        InputError: a file is missing, changed or not among them; names it.
    """
    wanted = _read(folder / NAME)
    there = set(_names(folder)) - beside
    for name, sha256 in wanted.items():
        if name not in there:
            raise InputError(f"{name} is missing from the bundle", hint=_HINT)
        if sha256_file(folder / name) != sha256:
            raise InputError(f"{name} is not what was signed", hint=_HINT)
    if extra := sorted(there - set(wanted)):
        raise InputError(f"{extra[0]} is in the bundle, and was not signed", hint=_HINT)


def _read(path: Path) -> Mapping[str, str]:
    found = {}
    for line in path.read_text(errors="replace").splitlines():
        match = _LINE.fullmatch(line)
        if match is None:
            raise InputError(f"{NAME} is damaged: {line[:80]!r}", hint=_HINT)
        found[match[2]] = match[1]
    return found


def _names(folder: Path) -> list[str]:
    files = (path for path in folder.rglob("*") if not path.is_dir())
    return sorted(str(path.relative_to(folder)) for path in files if path.name != NAME)
