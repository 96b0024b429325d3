"""The process that does tasks for its parent, one at a time.

Spoken with over one socket: in comes a call and its folder, out come its news and how it ended. It
ends with its parent, and leaves Ctrl-C to it; SIGTERM lets ``with`` blocks close what they opened.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from lpharness.base.errors import HostError, LpharnessError
from lpharness.executor.contract import How
from lpharness.executor.messages import Order, Said

_PR_SET_PDEATHSIG = 1


class _Site:
    def __init__(self, folder: Path, connection: Connection) -> None:
        self.folder = folder
        self._connection = connection

    def tell(self, news: Any) -> None:
        self._connection.send(Said(content=news))


def main(handle: int, parent: int) -> None:
    """Do what comes in until nobody is there any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _terminate)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    connection = Connection(handle)
    while True:
        try:
            order = connection.recv()
        except EOFError:
            return
        connection.send_bytes(_packed(_do(order, connection)))


def _do(order: Order, connection: Connection) -> Said:
    try:
        call = pickle.loads(order.call)  # noqa: S301 — our parent's
        return Said(content=call(_Site(order.folder, connection)), how=How.RETURNED)
    except Exception as error:
        return Said(content=error, how=How.RAISED)


def _packed(said: Said) -> bytes:
    """Return how a task ended, pickled; in words where it cannot be sent as it is."""
    try:
        data = pickle.dumps(said)
        pickle.loads(data)  # noqa: S301 — an error may be pickled and yet not be made anew
    except Exception as error:
        return pickle.dumps(Said(content=HostError(_in_words(said, error)), how=How.RAISED))
    return data


def _in_words(said: Said, error: Exception) -> str:
    if isinstance(said.content, LpharnessError):
        return str(said.content)
    name = type(said.content).__name__
    if said.how is How.RAISED:
        return f"{name}: {said.content}"
    return f"no way to send {name}: {error}"


def _terminate(number: int, frame: object) -> None:
    del frame
    raise SystemExit(128 + number)
