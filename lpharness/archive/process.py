"""Running Debian's own tools: bounded, in English, never outliving this process."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache

from lpharness.base.errors import HostError


class ToolFailed(HostError):
    """A tool ended with an error; ``output`` is what it said, in its own words."""

    def __init__(self, message: str, *, output: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.output = output


@cache
def find_tool(name: str) -> str | None:
    """Return the path of a program, also where only root's ``PATH`` would find it."""
    path = os.environ.get("PATH", os.defpath)
    return shutil.which(name, path=f"{path}:/usr/local/sbin:/usr/sbin:/sbin")


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
    program = find_tool(argv[0])
    if program is None:
        raise ToolFailed(f"cannot {what}: {argv[0]} is not on this host", output="")
    try:
        done = subprocess.run(
            [*tied_to_us(), program, *argv[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            env={**os.environ, "LC_ALL": "C"},
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ToolFailed(f"cannot {what}: no end after {seconds:g} s", output="") from error
    if done.returncode == 0:
        return done.stdout
    said = done.stderr.decode(errors="replace").strip()
    if "No space left on device" in said:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    last = said.splitlines()[-1] if said else f"exit status {done.returncode}"
    raise ToolFailed(f"cannot {what}: {last}", output=said)


def tied_to_us() -> list[str]:
    """Return a prefix that ends the child with this process, even if that is killed."""
    setpriv = find_tool("setpriv")  # util-linux, essential on Debian
    return [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []
