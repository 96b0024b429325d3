"""The same scenario measured and simulated, side by side. ``docs/held.md``."""

from lpharness.comparison.held.hold import Held, hold
from lpharness.comparison.held.rows import Row
from lpharness.comparison.held.trial import read_trials

__all__ = ["Held", "Row", "hold", "read_trials"]
