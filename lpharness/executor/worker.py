"""A child process that does tasks, seen from its parent."""

from __future__ import annotations

import math
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from lpharness.executor.contract import Call
from lpharness.executor.messages import Order, Said

_GRACE_S = 10.0
"""So long a child that is told to end may take to end its guests."""


class Gone(Exception):
    """The child died; the text says how."""


class Worker:
    """One child.

    The thread that makes it must outlive it: the kernel tells a child of its parent's death when
    the *thread* that forked it ends (prctl(2)).
    """

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _program(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C is for us, who end our children
            )
            self.connection = Connection(ours.detach())
        self._end_by = math.inf

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    def give(self, call: Call, folder: Path) -> None:
        """Let it do a task; it does one at a time."""
        order = Order(call=pickle.dumps(call), folder=folder)
        with suppress(OSError):  # it is gone: the next `listen` says so
            self.connection.send(order)

    def listen(self) -> Said:
        """Return what it says next.

        Raises:
            Gone: it died.
        """
        try:
            said = self.connection.recv()
        except (EOFError, OSError):
            raise Gone(self._how_it_died()) from None
        assert isinstance(said, Said)
        return said

    def begin_to_end(self) -> None:
        """Tell it to end whatever it is at, as soon as it can."""
        self._process.terminate()
        self._end_by = time.monotonic() + _GRACE_S

    def insist(self) -> None:
        """Kill it if it was told to end, and had its time to."""
        if time.monotonic() > self._end_by:
            self._process.kill()

    def _how_it_died(self) -> str:
        self._process.kill()  # without its end of the socket it is of no more use
        status = self._process.wait()
        self.connection.close()
        if status < 0:
            name = signal.Signals(-status).name
            return f"the worker was ended by {name}" + (
                " (out of memory?)" if name == "SIGKILL" else ""
            )
        return f"the worker ended with status {status}"

    def _wait(self) -> None:
        try:
            self._process.wait(max(0.0, self._end_by - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.connection.close()


def _program(handle: int) -> str:
    """Return what a child runs: it finds modules where we do."""
    return (
        f"import sys; sys.path[:] = {sys.path!r}\n"
        "from lpharness.executor.child import main\n"
        f"main({handle}, {os.getpid()})"
    )


def end(workers: Iterable[Worker]) -> None:
    """End children, all at once; those that do not end in time are killed."""
    workers = list(workers)
    for worker in workers:
        worker.begin_to_end()
    for worker in workers:
        worker._wait()
