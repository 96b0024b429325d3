"""Does tasks on a Dask cluster: ``dask://HOST:PORT`` names its scheduler.

No more is submitted to Dask than the workers have room for; the rest waits here, in its order. So a
worker that joins gets work at once, a slow one holds up only what it has in hand, and what is lost
with a scheduler is submitted again to the next.
"""

from __future__ import annotations

import itertools
import logging
import pickle
import shutil
import socket
import threading
import uuid
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import urlsplit

from distributed import Client, Future
from msgspec import Struct

from lpharness import __version__
from lpharness.base.closing import Closing
from lpharness.base.errors import HostError, InputError
from lpharness.executor.cluster.depot import Depot, bring
from lpharness.executor.cluster.hand import do
from lpharness.executor.cluster.machine import Machine
from lpharness.executor.cluster.messages import (
    CPUS,
    KVM,
    MEMORY,
    Delivery,
    Order,
    packed,
    unpacked,
    write_files,
)
from lpharness.executor.contract import Began, Broken, Ended, Event, How, Needs, News, Task, Told
from lpharness.executor.parcels import Packer
from lpharness.executor.waiting import Waiting

log = logging.getLogger("lpharness.executor")

_GLANCE_S = 1.0
"""So often it is looked who joined the cluster."""
_PATIENCE_S = 60
"""So long a scheduler that goes away may take to come back."""


class _Underway(Struct):
    task: Task
    future: Future[bytes]
    cancelled: bool = False


class DaskExecutor(Closing):
    """An `Executor` on a cluster. One thread submits and takes what comes back."""

    name = "dask"

    def __init__(self, told: Told, address: str) -> None:
        """Connect.

        Raises:
            InputError: the address is none.
            HostError: no scheduler answers there, or it lacks lpharness.
        """
        self._address = scheduler_address(address)
        self._told, self._telling = told, threading.Lock()
        self._topic = f"lpharness-{uuid.uuid4().hex}"
        self._inbox: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._waiting = Waiting()
        self._numbers = itertools.count()
        self._underway: dict[str, _Underway] = {}
        self._packer = Packer()
        self._scheduler = ""
        self._room_told = True
        self._closing = False
        self._client = self._connect()
        self._thread = threading.Thread(target=self._serve, name="lph-dask", daemon=True)
        self._thread.start()

    def submit(self, task: Task) -> None:
        """Do a task as soon as a worker has room for it."""
        if not self._thread.is_alive():
            raise HostError(f"the connection to the scheduler at {self._address} is closed")
        self._inbox.put(lambda: self._waiting.put(task))

    def cancel(self, key: str) -> None:
        """Give a task up; the worker that has it in hand ends it soon."""
        self._inbox.put(lambda: self._cancel(key))

    def close(self) -> None:
        """Give everything up; the workers end what they have in hand."""
        self._closing = True
        self._inbox.put(lambda: None)
        if self._thread is not threading.current_thread():
            self._thread.join()
        self._client.close(timeout=5)

    def _connect(self) -> Client:
        host, port = self._address.removeprefix("tcp://").rsplit(":", 1)
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
            client = Client(self._address, timeout=_PATIENCE_S, set_as_default=False)
        except OSError as error:
            raise HostError(
                f"no Dask scheduler answers at {self._address}: {error}",
                hint="start one: dask scheduler (docs/cluster.md)",
            ) from error
        try:
            self._furnish(client)
        except BaseException:
            client.close()
            raise
        return client

    def _furnish(self, client: Client) -> None:
        """Give a scheduler that we have not seen before what it and its workers need."""
        try:
            client.register_plugin(Depot())
            client.register_plugin(Machine())
        except Exception as error:  # whatever it could not unpickle, or we not understand
            raise HostError(
                f"the cluster at {self._address} cannot do lpharness's work: {error}",
                hint="install lpharness[dask] where the scheduler and the workers are",
            ) from error
        client.subscribe_topic(self._topic, self._hear)
        self._scheduler = client.scheduler_info(n_workers=0)["id"]

    # --- the thread ----------------------------------------------------------------------------

    def _serve(self) -> None:
        try:
            while not self._closing:
                try:
                    self._inbox.get(timeout=_GLANCE_S)()
                    while True:
                        self._inbox.get_nowait()()
                except Empty:
                    self._submit_what_fits()
            for underway in self._underway.values():
                underway.future.cancel()
        except Exception as error:
            if not self._closing:
                self._tell(Broken(error=self._in_words(error)))

    def _in_words(self, error: Exception) -> Exception:
        if isinstance(error, HostError):
            return error
        if self._client.status == "running" and not isinstance(error, OSError):
            return error
        return HostError(
            f"the scheduler at {self._address} went away",
            hint="what is through is written: go on with `lpharness run --resume FOLDER`",
        )

    def _submit_what_fits(self) -> None:
        if self._client.status == "connecting" or not self._waiting:
            return  # Dask connects again by itself, and gives up by itself
        if self._client.status != "running":
            raise ConnectionError
        seen = self._client.scheduler_info(n_workers=-1)
        if seen["id"] != self._scheduler:
            self._furnish(self._client)
        workers = [worker["resources"] for worker in seen["workers"].values()]
        while self._waiting and self._is_room(self._waiting.first.needs, workers):
            self._submit(self._waiting.take(), workers)

    def _is_room(self, needs: Needs, workers: list[dict[str, float]]) -> bool:
        """Say whether the cluster has room for one more; tell once when nobody ever will."""
        asked = _resources(needs, workers)
        room = sum(
            int(min(worker.get(name, 0.0) / amount for name, amount in asked.items()))
            for worker in workers
        )
        if room == 0 and self._room_told:
            self._room_told = False
            log.warning("no worker can do the next task (%s): waiting for one", asked)
        elif room:
            self._room_told = True
        return len(self._underway) < room

    def _submit(self, task: Task, workers: list[dict[str, float]]) -> None:
        call, files = self._packer.pack(task.call)
        bring(self._client, files)
        order = Order(key=task.key, topic=self._topic, version=__version__, call=call)
        future = self._client.submit(
            do,
            packed(order),
            key=f"{self._topic}-{next(self._numbers)}",
            resources=_resources(task.needs, workers),
            pure=False,
        )
        self._underway[task.key] = _Underway(task, future)
        future.add_done_callback(lambda done: self._inbox.put(lambda: self._take(task.key, done)))

    def _take(self, key: str, future: Future[bytes]) -> None:
        underway = self._underway.get(key)
        if underway is None or underway.future is not future:
            return
        del self._underway[key]
        if future.status == "cancelled":
            if underway.cancelled:
                self._tell(Ended(key=key, how=How.CANCELLED))
            else:  # the scheduler went away with it
                self.submit(underway.task)
            return
        try:
            delivery: Delivery = unpacked(future.result())
        except OSError:  # the scheduler went away before it was here
            self.submit(underway.task)
            return
        except Exception as error:  # KilledWorker: it took several workers with it
            text = str(error).partition("\n")[0]
            lost = HostError(f"lost with its worker: {text}")
            self._tell(Ended(key=key, how=How.LOST, error=lost))
            return
        self._deliver(underway.task, delivery)

    def _deliver(self, task: Task, delivery: Delivery) -> None:
        if delivery.files:
            if task.folder.is_dir():
                shutil.rmtree(task.folder)
            write_files(delivery.files, task.folder)
        content, where = delivery.content, delivery.where
        self._tell(Ended.with_content(task.key, delivery.how, content, where))

    def _cancel(self, key: str) -> None:
        if underway := self._underway.get(key):
            underway.cancelled = True
            underway.future.cancel()
            return
        if self._waiting.drop(key):
            self._tell(Ended(key=key, how=How.CANCELLED))

    # --- what is told --------------------------------------------------------------------------

    def _hear(self, event: tuple[float, dict[str, Any]]) -> None:
        """Take what a worker tells; called by Dask."""
        _, said = event
        key, content = said["key"], pickle.loads(said["content"])  # noqa: S301 — our worker's
        if key in self._underway:
            began = said["what"] == "began"
            self._tell(Began(key=key, where=content) if began else News(key=key, news=content))

    def _tell(self, event: Event) -> None:
        with self._telling:
            self._told(event)


def scheduler_address(text: str) -> str:
    """Return Dask's own address for ``dask://HOST:PORT``.

    Raises:
        InputError: it is none.
    """
    parts = urlsplit(text)
    try:
        port = parts.port or 8786
    except ValueError:
        port = 0
    if parts.scheme != "dask" or not parts.hostname or not port or parts.path.strip("/"):
        raise InputError(f"not a cluster: {text!r}", hint="dask://HOST:PORT names a scheduler")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"tcp://{host}:{port}"


def _resources(needs: Needs, workers: list[dict[str, float]]) -> dict[str, float]:
    """Return what a task asks of its worker: of CPUs and memory no more than the biggest has."""

    def most(name: str) -> float:
        return max((worker.get(name, 0.0) for worker in workers), default=0.0)

    asked = {
        CPUS: min(needs.cpus, most(CPUS) or needs.cpus),
        MEMORY: min(float(needs.memory_mb), most(MEMORY) or float(needs.memory_mb)),
        KVM: 1.0 if needs.kvm else 0.0,
    }
    if needs.arch:
        asked[f"lph-{needs.arch}"] = 1.0
    asked = {name: amount for name, amount in asked.items() if amount}
    return asked or {CPUS: 0.01}
