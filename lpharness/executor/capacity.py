"""How much of a machine there is for tasks, and how much of it is taken."""

from __future__ import annotations

import math
import os
from contextlib import suppress
from pathlib import Path

from lpharness.executor.contract import Needs

_LEFT_TO_OTHERS = 0.1
"""This share of the memory that is free at the start is not counted on."""
_CGROUP = Path("/sys/fs/cgroup")


class Capacity:
    """A machine's CPUs and memory, and what of them is free."""

    def __init__(self, *, cpus: float, memory_mb: float, tasks: float = math.inf) -> None:
        self.cpus, self.memory_mb, self.tasks = cpus, memory_mb, tasks
        self._taken: list[Needs] = []

    @classmethod
    def of_this_machine(cls, tasks: int | None = None) -> Capacity:
        """Return what this process may use of the machine that it runs on, now.

        Args:
            tasks: so many at a time, whatever CPUs there are; default: as the CPUs allow.
        """
        if tasks is None:
            return cls(cpus=usable_cpus(), memory_mb=usable_memory_mb())
        return cls(cpus=math.inf, memory_mb=usable_memory_mb(), tasks=tasks)

    def take(self, needs: Needs) -> bool:
        """Take what a task needs, if it is free, or all that there is if nothing is taken."""
        if self._taken and not self._is_free(needs):
            return False
        self._taken.append(needs)
        return True

    def give_back(self, needs: Needs) -> None:
        """Let others have what a task took."""
        self._taken.remove(needs)

    def times(self, needs: Needs) -> int:
        """Return how many tasks with such needs there is room for at once; at least one."""
        most = min(
            self.tasks,
            self.cpus / needs.cpus if needs.cpus else math.inf,
            self.memory_mb / needs.memory_mb if needs.memory_mb else math.inf,
        )
        return max(1, int(most)) if math.isfinite(most) else 1

    def _is_free(self, needs: Needs) -> bool:
        cpus = sum(taken.cpus for taken in self._taken)
        memory = sum(taken.memory_mb for taken in self._taken)
        return (
            len(self._taken) < self.tasks
            and cpus + needs.cpus <= self.cpus
            and memory + needs.memory_mb <= self.memory_mb
        )


def usable_cpus() -> float:
    """Return how many CPUs this process may keep busy: by affinity, and by a container's quota."""
    cpus = float(len(os.sched_getaffinity(0)))
    with suppress(OSError, ValueError):
        quota, period = (_CGROUP / "cpu.max").read_text().split()
        if quota != "max":
            cpus = min(cpus, max(1.0, int(quota) / int(period)))
    return cpus


def usable_memory_mb() -> float:
    """Return how much memory tasks may take, all together, without pushing others out."""
    import psutil

    free = float(psutil.virtual_memory().available)
    with suppress(OSError, ValueError):
        limit = int((_CGROUP / "memory.max").read_text())
        free = min(free, limit - int((_CGROUP / "memory.current").read_text()))
    return free * (1 - _LEFT_TO_OTHERS) / (1 << 20)
