"""Compares two relocatable objects at the level of meaning; ``docs/differ.md`` tells how.

`diff_files` answers with a document; `judge_files` keeps the pieces for the extraction.
"""

from lpharness.engine.differ.answer import diff_files, judge_files, report
from lpharness.engine.differ.extract import extract
from lpharness.engine.differ.extracted import Extracted, Origin, Redirected, Wanted
from lpharness.engine.differ.judge import Judgement
from lpharness.engine.differ.machine import CannotJudge
from lpharness.engine.differ.report import Answer, DiffReport

__all__ = [
    "Answer",
    "CannotJudge",
    "DiffReport",
    "Extracted",
    "Judgement",
    "Origin",
    "Redirected",
    "Wanted",
    "diff_files",
    "extract",
    "judge_files",
    "report",
]
