"""How much slower than by itself something has to expect to be on this host now."""

from __future__ import annotations

import os

_MOST = 3.0


def host_busyness() -> float:
    """Return how many wait for each CPU: 1 on a host that has CPUs to spare, 3 at most.

    For deadlines, which tell a guest that hangs from one that is slow: a longer one makes each hang
    cost more.
    """
    try:
        load = os.getloadavg()[0]
    except OSError:  # the host does not tell
        return 1.0
    return min(max(load / (os.cpu_count() or 1), 1.0), _MOST)
