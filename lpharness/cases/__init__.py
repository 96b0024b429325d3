"""Cases: a livepatch under test as data. ``docs/cases.md`` teaches the file."""

from lpharness.cases.load import bundled, load, tagged
from lpharness.cases.model import Case
from lpharness.cases.new import write_skeleton

__all__ = ["Case", "bundled", "load", "tagged", "write_skeleton"]
