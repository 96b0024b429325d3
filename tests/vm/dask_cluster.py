"""A Dask cluster on this machine, for tests."""

from __future__ import annotations

from collections.abc import Callable

from lpharness.base.deadline import Deadline
from lpharness.bench.run.cluster import Cluster, cluster

__all__ = ["Cluster", "cluster", "eventually"]

PATIENCE_S = 120


def eventually(happens: Callable[[], object], what: str) -> None:
    """Wait until something is true."""
    deadline = Deadline.after(PATIENCE_S)
    while not happens():
        deadline.check(what)
