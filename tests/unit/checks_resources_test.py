"""Open files and tasks that are left, and how many say nothing."""

import pytest
from checks_clauses import AFTER
from checks_samples import assert_verdict, change, clean, drop

from lpharness.results.model import Verdict
from lpharness.timeline.events import Vitals


@pytest.mark.parametrize(
    ("counts", "verdict", "says"),
    [
        ({"files": 560, "tasks": 84}, Verdict.PASS, "no more open files, tasks and"),
        ({"files": 100, "tasks": 10}, Verdict.PASS, "no more open files, tasks and"),
        ({"files": 561}, Verdict.FAIL, "open files: 561, 400 before the load"),
        ({"slab_kb": 9000 + 32768}, Verdict.PASS, "no more open files, tasks and"),
        ({"slab_kb": 9001 + 32768}, Verdict.FAIL, "41,769 KiB, 9,000 KiB before the load"),
        ({"tasks": 85}, Verdict.FAIL, "tasks: 85, 60 before the load"),
    ],
)
def test_what_is_left(counts: dict[str, int], verdict: Verdict, says: str) -> None:
    assert_verdict("resources", change(clean(), Vitals, AFTER, **counts), verdict, says)


def test_vitals_must_have_been_looked_at() -> None:
    assert_verdict("resources", drop(clean(), Vitals, AFTER), Verdict.ERROR, "no vitals")


def test_a_recording_that_is_older_says_nothing() -> None:
    old = change(clean(), Vitals, files=None, tasks=None, slab_kb=None)
    assert_verdict("resources", old, Verdict.SKIP, "recorded before")
