"""Running compilers: bounded, gentle, with an environment of their own, never outliving us."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from threading import Event
from typing import TypeVar

from msgspec import Struct

from lpharness.archive.process import tied_to_us
from lpharness.base.errors import HostError

_LONGEST_S = 600.0
_GLANCE_S = 0.25  # so often it is asked whether to go on
T = TypeVar("T")


class Ended(Struct, frozen=True):
    """How a program ended."""

    status: int
    output: bytes
    said: str
    """What it wrote to its standard error."""


def run(
    argv: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    what: str,
    stop: Event | None = None,
) -> Ended:
    """Run a program to its end in a folder.

    Args:
        argv: the program and its arguments.
        folder: where it runs; temporary files go to its parent.
        environment: added to the little that every program gets.
        what: what it is for, for errors.
        stop: ends the program and its children once it is set.

    Raises:
        HostError: it is missing, took too long, or was stopped.
    """
    gentle = ["nice", "-n", "10"] if shutil.which("nice") else []
    try:
        process = subprocess.Popen(
            [*tied_to_us(), *gentle, *argv],
            cwd=folder,
            env={
                "PATH": os.environ.get("PATH", os.defpath),
                "LC_ALL": "C",
                "HOME": str(folder.parent),
                "TMPDIR": str(folder.parent),
                **environment,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise HostError(f"cannot {what}: {argv[0]} is not on this host") from error
    began = time.monotonic()
    try:
        while True:
            try:
                output, said = process.communicate(timeout=_GLANCE_S)
                break
            except subprocess.TimeoutExpired:
                if stop is not None and stop.is_set():
                    raise HostError(f"stopped while about to {what}") from None
                if time.monotonic() - began > _LONGEST_S:
                    raise HostError(f"cannot {what}: no end after {_LONGEST_S:g} s") from None
    finally:
        if process.poll() is None:  # time is up, or we are interrupted: its children go too
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    return Ended(process.returncode, output, said.decode(errors="replace"))


def in_parallel(
    tasks: Sequence[Callable[[Event], T]],
    *,
    jobs: int | None = None,
    tell: Callable[[int], None] | None = None,
) -> list[T]:
    """Return what tasks return, in their order, some of them at a time.

    If one fails, or the user interrupts, the others are stopped before that is raised.

    Args:
        tasks: each is given the event that tells it to stop, for `run`.
        jobs: how many at a time; as many as there are processors unless given.
        tell: called with the number of tasks that are through.
    """
    stop = Event()
    with ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
        futures = [pool.submit(task, stop) for task in tasks]
        try:
            for number, future in enumerate(as_completed(futures), 1):
                future.result()
                if tell is not None:
                    tell(number)
        except BaseException:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return [future.result() for future in futures]
