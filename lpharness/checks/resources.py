"""Has the guest as many open files and tasks, and as much of its memory, as before?

What leaks with each call of the new function shows after many. Slabs grow by themselves when
something is done for the first time, so little memory says nothing: only kmemleak sees that.
"""

from __future__ import annotations

from dataclasses import dataclass

from lpharness.checks.contract import Recording
from lpharness.checks.ledger import Ledger
from lpharness.checks.story import Story
from lpharness.results.model import CheckResult, Margin


@dataclass(frozen=True, slots=True)
class _Counted:
    """Something that the kernel counts."""

    name: str
    field: str
    """Of `Vitals`."""
    leeway: int
    """So many more say nothing."""
    unit: str = ""

    def margin(self, more: int) -> Margin:
        """Return how near ``more`` comes to what says nothing; memory in MiB."""
        each, unit = (1024, "MiB") if self.unit else (1, "")
        return Margin(
            name=f"{self.name} that stay",
            measured=max(0, more) / each,
            bound=self.leeway / each,
            unit=unit,
        )


_COUNTED = (
    # /proc/sys/fs/file-nr is a per-CPU counter's rough value, off by up to 32 for each CPU
    # (percpu_counter_batch), and /proc/PID files of dying tasks go late.
    _Counted("open files", "files", 160),
    # Tasks of a workload that was stopped are still on their way out, and kworkers come and go.
    _Counted("tasks", "tasks", 24),
    # Clean trials end with some 600 KiB more; but KASAN keeps up to 1/32 of all memory from being
    # used again (mm/kasan/quarantine.c).
    _Counted("memory in slabs", "slab_kb", 32768, " KiB"),
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
            f"{last:,}{item.unit}, {first:,}{item.unit} before the load",
            f"at most {item.leeway:,}{item.unit} more",
            after,
            margin=item.margin(last - first),
        )
    if not told:
        return ledger.skip("recorded before this was looked at")
    return ledger.result(
        "no more open files, tasks and memory in slabs than before", died=story.died
    )
