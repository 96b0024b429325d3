"""What a guest's kept memory tells, read by drgn with the kernel's own debug information."""

from lpharness.vmcore.find import Subject, find_subject
from lpharness.vmcore.open import open_core
from lpharness.vmcore.read import MemoryReport, read_memory

__all__ = ["MemoryReport", "Subject", "find_subject", "open_core", "read_memory"]
