"""Processes that work for a benchmark, each on one thing at a time, and end with it."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from lpharness.base.errors import HostError

_PR_SET_PDEATHSIG = 1


@contextmanager
def workers(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Open a pool of ``jobs`` processes; whatever ends the block ends what they are at.

    Raises:
        HostError: one was killed.
    """
    pool = ProcessPoolExecutor(
        jobs, mp_context=multiprocessing.get_context("spawn"), initializer=_begin,
        initargs=(os.getpid(),),
    )  # fmt: skip
    try:
        yield pool
    except BrokenProcessPool as error:
        raise HostError(
            "a worker was killed (out of memory?)",
            hint="give the same command again: it goes on where it was",
        ) from error
    finally:
        for process in list((pool._processes or {}).values()):  # they would finish what they do
            process.terminate()
        pool.shutdown(wait=True, cancel_futures=True)


def _begin(parent: int) -> None:
    """Let a worker end with its parent, and leave Ctrl-C to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
