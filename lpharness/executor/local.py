"""Does tasks in processes of this machine, as many at a time as its CPUs and memory allow."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, wait
from queue import Empty, SimpleQueue

from lpharness.base.closing import Closing
from lpharness.base.errors import HostError
from lpharness.executor.capacity import Capacity
from lpharness.executor.contract import Began, Broken, Ended, How, News, Task, Told
from lpharness.executor.messages import Said
from lpharness.executor.waiting import Waiting
from lpharness.executor.worker import Gone, Worker, end

_GLANCE_S = 1.0
"""So often it is looked whether a child that was told to end does."""


class LocalExecutor(Closing):
    """An `Executor` with children, which live on from task to task.

    One thread starts the children and hears them; the others only put into its inbox.
    """

    name = "local"

    def __init__(self, told: Told, capacity: Capacity | None = None) -> None:
        self._capacity = capacity or Capacity.of_this_machine()
        self._told = told
        self._inbox: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._waiting = Waiting()
        self._idle: list[Worker] = []
        self._busy: dict[Worker, Task] = {}
        self._cancelled: set[str] = set()
        self._closing = False
        self._thread = threading.Thread(target=self._serve, name="lph-executor", daemon=True)
        self._thread.start()

    def submit(self, task: Task) -> None:
        """Do a task as soon as its turn comes and there is room for it."""
        if not self._thread.is_alive():
            raise HostError("the local executor has ended")
        self._ask(lambda: self._waiting.put(task))

    def cancel(self, key: str) -> None:
        """Give a task up; the child that is at it is ended."""
        self._ask(lambda: self._cancel(key))

    def close(self) -> None:
        """End all children, whatever they are at."""
        if self._thread.is_alive():
            self._closing = True
            self._ask(lambda: None)
            self._thread.join()
        if self._wake >= 0:
            os.close(self._wake)
            self._wake = -1

    def _ask(self, act: Callable[[], None]) -> None:
        self._inbox.put(act)
        os.eventfd_write(self._wake, 1)

    def _serve(self) -> None:
        try:
            while not self._closing:
                self._begin()
                for source in self._stirring():
                    if source == self._wake:
                        os.eventfd_read(self._wake)
                        self._do_asked()
                    else:
                        self._hear(next(w for w in self._busy if w.connection is source))
        except Exception as error:
            self._told(Broken(error=error))
        finally:
            end([*self._idle, *self._busy])

    def _stirring(self) -> Iterator[Connection | int]:
        """Wait until somebody wants something; yield who does."""
        about_to_end = any(task.key in self._cancelled for task in self._busy.values())
        sources: list[Connection | int] = [worker.connection for worker in self._busy]
        stirring = wait([self._wake, *sources], _GLANCE_S if about_to_end else None)
        for worker in self._busy if about_to_end else ():
            worker.insist()
        yield from stirring  # type: ignore[misc]

    def _do_asked(self) -> None:
        while True:
            try:
                self._inbox.get_nowait()()
            except Empty:
                return

    def _begin(self) -> None:
        """Begin what fits, strictly in order: what needs much room would never get it otherwise."""
        while self._waiting and self._capacity.take(self._waiting.first.needs):
            task = self._waiting.take()
            worker = self._idle.pop() if self._idle else Worker()
            self._busy[worker] = task
            self._told(Began(key=task.key, where=f"process {worker.pid}"))
            worker.give(task.call, task.folder)

    def _hear(self, worker: Worker) -> None:
        task = self._busy[worker]
        try:
            said = worker.listen()
        except Gone as gone:
            self._leave(worker)
            how = How.CANCELLED if task.key in self._cancelled else How.LOST
            self._tell_end(worker, task, Said(content=HostError(str(gone)), how=how))
            return
        if said.how is None:
            self._told(News(key=task.key, news=said.content))
            return
        self._leave(worker)
        if task.key not in self._cancelled:  # else it was told to end
            self._idle.append(worker)
        else:
            end([worker])
        self._tell_end(worker, task, said)

    def _leave(self, worker: Worker) -> None:
        self._capacity.give_back(self._busy.pop(worker).needs)

    def _tell_end(self, worker: Worker, task: Task, said: Said) -> None:
        assert said.how is not None
        self._cancelled.discard(task.key)
        where = f"process {worker.pid}"
        self._told(Ended.with_content(task.key, said.how, said.content, where))

    def _cancel(self, key: str) -> None:
        for worker, task in self._busy.items():
            if task.key == key:
                self._cancelled.add(key)
                worker.begin_to_end()
                return
        if self._waiting.drop(key):
            self._told(Ended(key=key, how=How.CANCELLED))
