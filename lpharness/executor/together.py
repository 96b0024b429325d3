"""Doing many tasks and taking what they return, for whoever needs no more than that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from queue import Empty, SimpleQueue

from lpharness.executor.contract import Broken, Ended, Event, Executor, Task, Told


def all_ended(open_executor: Callable[[Told], Executor], tasks: Iterable[Task]) -> Iterator[Ended]:
    """Submit tasks as they are made, and yield how each ended, in the order in which they do.

    Whatever ends the iteration ends what is under way.
    """
    events: SimpleQueue[Event] = SimpleQueue()
    with open_executor(events.put) as executor:
        under_way = 0
        for task in tasks:
            executor.submit(task)
            under_way += 1
            for ended in _ended(events):
                under_way -= 1
                yield ended
        while under_way:
            event = events.get()
            if isinstance(event, Broken):
                raise event.error
            if isinstance(event, Ended):
                under_way -= 1
                yield event


def _ended(events: SimpleQueue[Event]) -> Iterator[Ended]:
    """Yield those that are known to have ended by now."""
    while True:
        try:
            event = events.get_nowait()
        except Empty:
            return
        if isinstance(event, Ended):
            yield event
