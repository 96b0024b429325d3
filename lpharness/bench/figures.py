"""A figure: several samples of one thing, and the bound that the project set itself for it."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct, field


class Figure(Struct, kw_only=True):
    """Samples of one measured thing."""

    name: str
    unit: str
    samples: list[float]
    bound: float | None = None
    """The most that the median may be; ``None`` where none was set."""
    goal: float | None = None
    """What it had better be."""

    @property
    def median(self) -> float:
        """The middle sample: what to quote on a noisy machine."""
        return statistics.median(self.samples)

    @property
    def met(self) -> bool | None:
        """Whether the median keeps the bound."""
        return None if self.bound is None else self.median <= self.bound


class Bench(Struct, kw_only=True):
    """Figures, and what they were taken on."""

    kernel: str
    figures: list[Figure]
    load: tuple[float, float]
    """The host's load average of one minute, before and after: a busy host makes all dearer."""
    accelerator: str = ""
    """Empty where no guest was started."""
    host_cpus: int = field(default_factory=lambda: os.cpu_count() or 1)


def host_load() -> float:
    """Return how many tasks wanted a CPU of the host in the last minute, on average."""
    return os.getloadavg()[0]


def own_memory_mib() -> float:
    """Return the most memory that this process, its children aside, ever held.

    Not ``getrusage``: its figure outlives ``exec``, so that it may be that of whoever started us.
    """
    status = Path("/proc/self/status").read_text()
    kilobytes = next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1]
    return int(kilobytes) / 1024


class Stopwatch:
    """Holds the seconds that a ``with`` block took."""

    seconds = 0.0


@contextmanager
def stopwatch() -> Iterator[Stopwatch]:
    """Time a ``with`` block on the host's monotonic clock."""
    watch = Stopwatch()
    began = time.monotonic()
    try:
        yield watch
    finally:
        watch.seconds = time.monotonic() - began


def timed(times: int, action: Callable[[], object]) -> list[float]:
    """Return the seconds of each of ``times`` runs of ``action``."""
    samples = []
    for _ in range(times):
        with stopwatch() as watch:
            action()
        samples.append(watch.seconds)
    return samples
