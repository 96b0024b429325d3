"""What is done to the host while a trial runs, by name.

A plant is a generator function of a `Scene`. What comes before its first ``yield`` is done before
the command starts; what comes after it, while it runs; what comes after a second one, once it has
ended. ``try … finally`` is honoured however the fault comes out.
"""

from __future__ import annotations

from lpharness.bench.faults.plants import cached, folder, signals
from lpharness.bench.faults.scene import Plant

PLANTS: dict[str, Plant] = {**signals.PLANTS, **folder.PLANTS, **cached.PLANTS}
