"""Has the guest as many open files and tasks as before, give or take a few?

What leaks with each call of the new function shows after many. What leaks as memory shows on a
kernel with kmemleak alone: page cache and slabs grow and shrink by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

from lpharness.checks.contract import Recording
from lpharness.checks.ledger import Ledger
from lpharness.checks.story import Story
from lpharness.results.model import CheckResult


@dataclass(frozen=True, slots=True)
class _Counted:
    """Something that the kernel counts."""

    name: str
    field: str
    """Of `Vitals`."""
    leeway: int
    """So many more say nothing."""


_COUNTED = (
    # /proc/sys/fs/file-nr is a per-CPU counter's rough value, off by up to 32 for each CPU
    # (percpu_counter_batch), and /proc/PID files of dying tasks go late.
    _Counted("open files", "files", 160),
    # Tasks of a workload that was stopped are still on their way out, and kworkers come and go.
    _Counted("tasks", "tasks", 24),
)


def check_resources(recording: Recording) -> CheckResult:
    """Compare the counts of before the load with those of after the unload."""
    story, ledger = Story(recording), Ledger("resources")
    before, after = story.baseline_vitals(), story.final_vitals()
    if before is None or after is None:
        when = "before the load" if before is None else "after the unload"
        ledger.missing("what the kernel counts", f"no vitals of the time {when}")
        return ledger.result("", died=story.died)
    told = False
    for item in _COUNTED:
        first, last = getattr(before[1], item.field), getattr(after[1], item.field)
        if first is None or last is None:
            continue
        told = True
        ledger.hold(
            item.name,
            last - first <= item.leeway,
            f"{last}, {first} before the load",
            f"at most {item.leeway} more",
            after,
        )
    if not told:
        return ledger.skip("recorded before this was looked at")
    return ledger.result("no more open files and tasks than before", died=story.died)
