"""The consistency models side by side: recordings of trials in, tables out. ``docs/compare.md``."""

from lpharness.comparison.measure import measure
from lpharness.comparison.measured import Measured
from lpharness.comparison.read import read_run
from lpharness.comparison.summary import Comparison, compare

__all__ = ["Comparison", "Measured", "compare", "measure", "read_run"]
