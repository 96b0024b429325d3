"""Questions asked of a recording; the answers are verdicts with evidence."""

from lpharness.checks.contract import Check, PatchedFunction, Recording
from lpharness.checks.judge import CHECKS, judge, overall, questions

__all__ = ["CHECKS", "Check", "PatchedFunction", "Recording", "judge", "overall", "questions"]
