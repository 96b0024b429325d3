"""Cases: a livepatch under test as data. ``docs/cases.md`` teaches the file."""

from lpharness.cases.load import FILE_NAME, bundled, cases_in, load, tagged
from lpharness.cases.model import Case
from lpharness.cases.new import write_skeleton

__all__ = ["FILE_NAME", "Case", "bundled", "cases_in", "load", "tagged", "write_skeleton"]
