"""What the host's scheduler did with a machine's threads, by its own account.

``/proc/PID/task/TID/schedstat`` (Documentation/scheduler/sched-stats.rst) tells how long a thread
ran and how long it could have run while others did. A thread that is stopped, or waits for a disk,
is not in that account: it is seen by its state at each look.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from lpharness.guests.contract import CpuShare

_HELD = frozenset("DTt")
"""States of ``/proc/PID/stat``: waits for a disk, stopped, stopped by a tracer."""


class _Thread(NamedTuple):
    run_ns: int
    waited_ns: int


class ShareReader:
    """Reads a process's `CpuShare`; what its threads used is kept when they end."""

    def __init__(
        self, pid: int, proc: Path = Path("/proc"), clock: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._tasks = proc / str(pid) / "task"
        self._clock = clock
        self._lock = threading.Lock()
        self._threads: dict[str, _Thread] = {}
        self._run_ns = self._waited_ns = 0
        self._looked_ns: int | None = None

    def read(self) -> CpuShare | None:
        """Return the share so far; ``None`` if the host does not tell (any more)."""
        with self._lock:
            threads = self._read_threads()
            if not threads:
                return None
            now = self._clock()
            if self._looked_ns is not None:
                self._add(threads, now - self._looked_ns)
            self._threads, self._looked_ns = threads, now
            return CpuShare(run_ns=self._run_ns, waited_ns=self._waited_ns)

    def _add(self, threads: dict[str, _Thread], passed_ns: int) -> None:
        since = [
            (thread.run_ns - before.run_ns, thread.waited_ns - before.waited_ns)
            for name, thread in threads.items()
            for before in [self._threads.get(name, _Thread(0, 0))]
        ]
        self._run_ns += sum(ran for ran, _ in since)
        # Threads that wait at once wait no longer than it took; but the kernel counts a wait only
        # when it is over, so one alone may be longer than the time since the last look.
        longest = max(waited for _, waited in since)
        waited = min(sum(waited for _, waited in since), max(longest, passed_ns))
        held = any(self._is_held(name, thread) for name, thread in threads.items())
        self._waited_ns += max(waited, passed_ns) if held else waited

    def _read_threads(self) -> dict[str, _Thread]:
        try:
            names = [path.name for path in self._tasks.iterdir()]
        except OSError:
            return {}
        found = {}
        for name in names:
            try:
                run, waited, _ = (self._tasks / name / "schedstat").read_text().split()
            except (OSError, ValueError):  # it has just ended, or the kernel keeps no account
                continue
            found[name] = _Thread(int(run), int(waited))
        return found

    def _is_held(self, name: str, thread: _Thread) -> bool:
        return thread == self._threads.get(name) and self._state(name) in _HELD

    def _state(self, name: str) -> str:
        try:
            return (self._tasks / name / "stat").read_text().rpartition(") ")[2][:1]
        except OSError:
            return ""
