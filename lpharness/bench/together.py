"""Several at a time, for a benchmark that goes on in its folder where it was ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from lpharness.base.errors import HostError
from lpharness.executor.capacity import Capacity
from lpharness.executor.contract import Ended, How, Task
from lpharness.executor.local import LocalExecutor
from lpharness.executor.together import all_ended


def attempts(tasks: Iterable[Task], jobs: int) -> Iterator[Ended]:
    """Do ``jobs`` tasks at a time, and yield how each ended: it returned, or it raised.

    Raises:
        HostError: a worker was killed.
    """
    machine = Capacity.of_this_machine(jobs)
    for ended in all_ended(partial(LocalExecutor, capacity=machine), tasks):
        if ended.how is How.LOST:
            raise HostError(
                str(ended.error), hint="give the same command again: it goes on where it was"
            ) from ended.error
        yield ended
