"""Running a program to its end: bounded, and with its whole family gone when we are.

A program that is ended leaves the children that it started (``dpkg-deb`` its ``tar``, ``make`` its
compilers), which would go on writing into a folder that nobody wants any more. So each runs in a
session of its own, which is killed as a whole; and since the kernel tells only a direct child of
its parent's death (``PR_SET_PDEATHSIG``), a shell in between hands that on.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Event

from msgspec import Struct

from lpharness.base.errors import HostError

_GLANCE_S = 0.25  # so often it is asked whether to go on
_LEASH = ["/bin/sh", "-c", 'trap "kill -KILL 0" TERM; "$@" & wait "$!"', "sh"]


class Ended(Struct, frozen=True):
    """How a program ended."""

    status: int
    """0 to 255; 128 + N when signal N ended it."""
    output: bytes
    said: str
    """What it wrote to its standard error."""


def find_tool(name: str) -> str | None:
    """Return the path of a program, also where only root's ``PATH`` would find it."""
    path = os.environ.get("PATH", os.defpath)
    return shutil.which(name, path=f"{path}:/usr/local/sbin:/usr/sbin:/sbin")


def run_to_end(
    argv: Sequence[str],
    *,
    what: str,
    seconds: float,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    one_stream: bool = False,
    stop: Event | None = None,
) -> Ended:
    """Run a program to its end, whatever that is.

    Args:
        argv: the program and its arguments; its standard input is empty.
        what: what it is for, for errors: "unpack X".
        seconds: how long it may take.
        environment: all that it gets; our own and English unless given.
        folder: where it runs.
        one_stream: whether its standard error goes to its standard output.
        stop: ends it, and its children, once it is set.

    Raises:
        HostError: it is missing, took too long, or was stopped.
    """
    program = find_tool(argv[0])
    if program is None:
        raise HostError(f"cannot {what}: {argv[0]} is not on this host")
    process = subprocess.Popen(
        [*_tied_to_us(), program, *argv[1:]],
        cwd=folder,
        env={**os.environ, "LC_ALL": "C"} if environment is None else environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if one_stream else subprocess.PIPE,
        start_new_session=True,
    )
    try:
        output, said = _wait(process, what, time.monotonic() + seconds, seconds, stop)
    finally:
        if process.poll() is None:  # time is up, or we are interrupted
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    status = process.returncode if process.returncode >= 0 else 128 - process.returncode
    return Ended(status, output, (said or b"").decode(errors="replace"))


def _wait(
    process: subprocess.Popen[bytes], what: str, end: float, seconds: float, stop: Event | None
) -> tuple[bytes, bytes | None]:
    while True:
        try:
            return process.communicate(timeout=_GLANCE_S)
        except subprocess.TimeoutExpired:
            if stop is not None and stop.is_set():
                raise HostError(f"stopped while about to {what}") from None
            if time.monotonic() > end:
                raise HostError(f"cannot {what}: no end after {seconds:g} s") from None


def _tied_to_us() -> list[str]:
    """Return a prefix that ends the program's session with this process, even if that is killed."""
    setpriv = find_tool("setpriv")  # util-linux, essential on Debian
    return [setpriv, "--pdeathsig", "TERM", "--", *_LEASH] if setpriv else []
