"""The settings of a measurement that may go on in the same folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import msgspec

from lpharness.base.errors import InputError
from lpharness.results.files import write_atomically

S = TypeVar("S", bound=msgspec.Struct)


def require_same(settings: S, path: Path, free: Iterable[str]) -> None:
    """Go on only with the settings that a folder's measurement was begun with; keep them there.

    Args:
        settings: those asked for now.
        path: the file that they are kept in.
        free: names of those that may differ.

    Raises:
        InputError: others differ.
    """
    if path.is_file():
        before = msgspec.json.decode(path.read_bytes(), type=type(settings))
        asked = {name: getattr(settings, name) for name in free}
        if msgspec.structs.replace(before, **asked) != settings:
            raise InputError(
                f"{path.parent} holds a measurement with other settings",
                hint="name another output folder, or go on with what was asked there",
            )
    write_atomically(path, msgspec.json.format(msgspec.json.encode(settings), indent=2) + b"\n")
