"""What the guest is busy with meanwhile."""

from lpharness.workloads.catalog import Workload, find, names

__all__ = ["Workload", "find", "names"]
