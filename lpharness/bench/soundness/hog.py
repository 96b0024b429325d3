"""Processes that burn the host's CPUs beside what is measured, and end with the harness."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from lpharness.guests.process import Child


@contextmanager
def hogs(number: int) -> Iterator[list[Child]]:
    """Keep ``number`` of the host's CPUs busy while the ``with`` block lasts.

    Raises:
        HostError: no process can be started.
    """
    with ExitStack() as stack:
        children = []
        for _ in range(number):
            child = Child(["sh", "-c", "while :; do :; done"])
            stack.callback(child.end)
            children.append(child)
        yield children
