"""Running compilers: gently, with an environment of their own, several at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from threading import Event
from typing import TypeVar

from lpharness.base.process import Ended, find_tool, run_to_end

_LONGEST_S = 600.0
T = TypeVar("T")


def run(
    argv: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    what: str,
    stop: Event | None = None,
    longest_s: float = _LONGEST_S,
) -> Ended:
    """Run a program to its end in a folder.

    Args:
        argv: the program and its arguments.
        folder: where it runs; temporary files go to its parent.
        environment: added to the little that every program gets.
        what: what it is for, for errors.
        stop: ends the program and its children once it is set.
        longest_s: how many seconds it may take.

    Raises:
        HostError: it is missing, took too long, or was stopped.
    """
    gentle = ["nice", "-n", "10"] if find_tool("nice") else []
    return run_to_end(
        [*gentle, *argv],
        what=what,
        seconds=longest_s,
        folder=folder,
        environment={
            "PATH": os.environ.get("PATH", os.defpath),
            "LC_ALL": "C",
            "HOME": str(folder.parent),
            "TMPDIR": str(folder.parent),
            **environment,
        },
        stop=stop,
    )


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
