"""Running Debian's own tools."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence

from lpharness.base.errors import HostError
from lpharness.base.process import run_to_end


class ToolFailed(HostError):
    """A tool ended with an error; ``output`` is what it said, in its own words."""

    def __init__(self, message: str, *, output: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.output = output


def run_tool(argv: Sequence[str], *, seconds: float, what: str) -> bytes:
    """Run a program to its end and return its standard output.

    Args:
        argv: the program and its arguments.
        seconds: how long it may take.
        what: what it is for, for the message of the error: "unpack X".

    Raises:
        OSError: it ran out of disk space (``ENOSPC``), so that the cache can say so.
        ToolFailed: it failed, is missing, or took too long.
    """
    try:
        done = run_to_end(argv, seconds=seconds, what=what)
    except HostError as error:
        raise ToolFailed(error.message, output="") from error
    if done.status == 0:
        return done.output
    said = done.said.strip()
    if "No space left on device" in said:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    last = said.splitlines()[-1] if said else f"exit status {done.status}"
    raise ToolFailed(f"cannot {what}: {last}", output=said)
