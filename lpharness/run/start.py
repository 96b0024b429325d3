"""Starting a run on the executors that were asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from lpharness.base.errors import HostError
from lpharness.executor.capacity import Capacity
from lpharness.executor.contract import Executor, Told
from lpharness.executor.inline import InlineExecutor
from lpharness.executor.local import LocalExecutor
from lpharness.run.layout import Layout


@contextmanager
def executors(
    told: Told, layout: Layout, jobs: int | None, cluster: str | None = None
) -> Iterator[tuple[Executor, Executor]]:
    """Open who does the work of a run: who prepares its cells, and who carries out its trials.

    What is fetched and built is made on this machine, and sent from here.

    Args:
        told: is told how it goes.
        layout: what there is to do.
        jobs: of this machine at a time; as many as it has room for, if ``None``.
        cluster: the address of a cluster that the trials are carried out on.
    """
    timed = any(wanted.timeout_s for _, _, wanted in layout.wanted())
    if cluster is not None:
        with dask_executor(told, cluster) as dask, LocalExecutor(told, _machine(jobs)) as local:
            yield local, dask
        return
    if not timed and (jobs == 1 or len(layout.order) == 1):
        with InlineExecutor(told) as inline:
            yield inline, inline
        return
    with LocalExecutor(told, _machine(jobs)) as local:
        yield local, local


def dask_executor(told: Told, address: str) -> Executor:
    """Return an executor on a Dask cluster.

    Raises:
        InputError: the address is none.
        HostError: Dask is not installed, or no scheduler answers.
    """
    if find_spec("distributed") is None:
        raise HostError(
            "a cluster needs Dask, which is not installed", hint="pip install 'lpharness[dask]'"
        )
    from lpharness.executor.cluster.client import DaskExecutor

    return DaskExecutor(told, address)


def _machine(jobs: int | None) -> Capacity:
    return Capacity.of_this_machine(jobs)
