"""What a run of many trials costs: several at a time, on a cluster, with ten thousand results."""

from lpharness.bench.run.measure import measure
from lpharness.bench.run.model import Settings

__all__ = ["Settings", "measure"]
