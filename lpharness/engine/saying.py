"""What ``/lph/watch`` said in a guest, if it lived to say it."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from lpharness.base.errors import GuestError
from lpharness.guests.contract import CommandResult

T = TypeVar("T")


def said(what: str, result: CommandResult, kind: type[T]) -> T:
    """Return a command's one JSON document.

    Raises:
        GuestError: there is none: the kernel killed the process in an oops, say.
    """
    try:
        return msgspec.json.decode(result.stdout, type=kind)
    except msgspec.MsgspecError:
        words = result.stderr.decode(errors="replace").strip().splitlines()
        why = words[-1] if words else f"exit status {result.exit_status}"
        raise GuestError(f"{what}: the guest gave no answer ({why})") from None
