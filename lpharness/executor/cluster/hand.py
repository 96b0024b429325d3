"""The part of a Dask worker: does one task in a child of its own, and gives its files back.

A child, so that a task that nobody wants any more can be ended with its guests (Dask cannot end a
thread), and so that Dask's worker stays small and answers whatever a task does.
"""

from __future__ import annotations

import pickle
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from distributed import Status, Worker, get_worker

from lpharness import __version__
from lpharness.base.errors import HostError, LpharnessError
from lpharness.executor import worker as child
from lpharness.executor.cluster.depot import take
from lpharness.executor.cluster.messages import Delivery, Order, packed, read_files, unpacked
from lpharness.executor.contract import Call, How
from lpharness.executor.messages import Said
from lpharness.executor.parcels import unpack

_GLANCE_S = 0.25
"""So often it is looked whether the task is still wanted."""
_OURS = threading.local()
"""Each thread of the worker has a child, which lives on from task to task and ends with it."""


def do(data: bytes) -> bytes:
    """Do a task; called by Dask."""
    order: Order = unpacked(data)
    worker = get_worker()
    where = f"{worker.name}" if "://" not in str(worker.name) else worker.address
    if order.version != __version__:
        error = HostError(
            f"the worker {where} has lpharness {__version__}, and not {order.version}",
            hint="install the same on all machines",
        )
        return packed(Delivery(how=How.RAISED, content=error, files={}, where=where))

    def tell(what: str, content: Any) -> None:
        worker.log_event(
            order.topic, {"key": order.key, "what": what, "content": pickle.dumps(content)}
        )

    tell("began", where)
    with tempfile.TemporaryDirectory(prefix="lpharness-", dir=worker.local_directory) as place:
        folder = Path(place) / "task"
        try:
            call = unpack(order.call, lambda sum_: take(worker, sum_))
        except LpharnessError as error:
            said = Said(content=error, how=How.RAISED)
        else:
            said = _done(call, folder, _is_wanted(worker), lambda news: tell("news", news))
        files = read_files(folder)
    assert said.how is not None
    return packed(Delivery(how=said.how, content=said.content, files=files, where=where))


def _done(
    call: Call, folder: Path, is_wanted: Callable[[], bool], tell: Callable[[Any], None]
) -> Said:
    """Let the thread's child do a call."""
    if not hasattr(_OURS, "child"):
        _OURS.child = child.Worker()
    ours: child.Worker = _OURS.child
    try:
        ours.give(call, folder)
        while True:
            while not ours.connection.poll(_GLANCE_S):
                if not is_wanted():
                    del _OURS.child
                    child.end([ours])
                    return Said(content=HostError("nobody wants it any more"), how=How.CANCELLED)
            said = ours.listen()
            if said.how is not None:
                return said
            tell(said.content)
    except child.Gone as gone:
        del _OURS.child
        return Said(content=HostError(str(gone)), how=How.LOST)


def _is_wanted(worker: Worker) -> Callable[[], bool]:
    """Return what tells whether the task that this thread does is still wanted.

    When it is cancelled, or its client or the scheduler goes away, the worker's own book says so.
    """
    key = worker.get_current_task()

    def is_wanted() -> bool:
        task = worker.state.tasks.get(key)
        return (
            worker.status in (Status.running, Status.paused)
            and task is not None
            and task.state == "executing"
        )

    return is_wanted
