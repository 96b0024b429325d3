"""Starting a run on the executors that were asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lpharness.executor.capacity import Capacity
from lpharness.executor.contract import Executor, Told
from lpharness.executor.inline import InlineExecutor
from lpharness.executor.local import LocalExecutor
from lpharness.run.layout import Layout


@contextmanager
def executors(told: Told, layout: Layout, jobs: int | None) -> Iterator[Executor]:
    """Open who does the work of a run.

    Args:
        told: is told how it goes.
        layout: what there is to do.
        jobs: trials at a time; as many as this machine has room for, if ``None``.
    """
    timed = any(wanted.timeout_s for _, _, wanted in layout.wanted())
    if not timed and (jobs == 1 or len(layout.order) == 1):
        with InlineExecutor(told) as inline:
            yield inline
        return
    with LocalExecutor(told, Capacity.of_this_machine(jobs)) as local:
        yield local
