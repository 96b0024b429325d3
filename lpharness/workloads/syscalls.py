"""System calls by name."""

from __future__ import annotations

import difflib
import tomllib
from functools import lru_cache
from pathlib import Path

from lpharness.base.architecture import NATIVE
from lpharness.base.errors import InputError


def syscall_number(name: str, arch: str = NATIVE) -> int:
    """Return the number of a system call; a name that is a number already is taken as it is.

    Raises:
        InputError: the architecture has no such call.
    """
    if name.isascii() and name.isdecimal():
        return int(name)
    table = _table()[arch]
    if name in table:
        return table[name]
    near = difflib.get_close_matches(name, table, n=1)
    raise InputError(
        f"{arch} has no system call {name!r}",
        hint=f"did you mean {near[0]!r}?" if near else "see syscalls(2)",
    )


@lru_cache
def _table() -> dict[str, dict[str, int]]:
    return tomllib.loads(Path(__file__).with_name("syscalls.toml").read_text())
