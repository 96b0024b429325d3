"""Tasks that wait until there is room for them."""

from __future__ import annotations

import heapq
import itertools

from lpharness.executor.contract import Task


class Waiting:
    """The tasks that nobody has begun yet: least rank first, equals in the order they came in."""

    def __init__(self) -> None:
        self._heap: list[tuple[tuple[int, ...], int, Task]] = []
        self._numbers = itertools.count()

    def __bool__(self) -> bool:
        return bool(self._heap)

    @property
    def first(self) -> Task:
        """The one whose turn it is; there must be one."""
        return self._heap[0][2]

    def put(self, task: Task) -> None:
        """Let a task wait."""
        heapq.heappush(self._heap, (task.rank, next(self._numbers), task))

    def take(self) -> Task:
        """Take out the first."""
        return heapq.heappop(self._heap)[2]

    def drop(self, key: str) -> bool:
        """Take out the task of that key; say whether it was there."""
        kept = [entry for entry in self._heap if entry[2].key != key]
        found = len(kept) < len(self._heap)
        self._heap = kept
        heapq.heapify(self._heap)
        return found
