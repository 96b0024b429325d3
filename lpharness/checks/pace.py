"""How fast a workload goes on with the patch on, the host's doing aside.

A function that takes twenty times as long is a fault; a host that has other things to do is none.
So operations are counted for each second in which the host did not hold up the guest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from lpharness.checks.host_account import HostAccount
from lpharness.checks.ledger import Ledger
from lpharness.checks.story import Chapter, Story
from lpharness.results.model import Margin
from lpharness.timeline.events import Phase, WorkloadSample

_FEW = 100
"""Fewer operations than these before the patch are no measure of anything."""
_SHORTEST_NS = 400_000_000
"""Half of so long a time is no measure either."""
_LEAST_SHARE = 0.02
"""What the host left the guest of a time, at least: its account may say too much."""

At = tuple[int, WorkloadSample]


def judge_pace(story: Story, account: HostAccount, workload: str, ledger: Ledger) -> None:
    """Hold the pace with each patch on against the pace before any."""
    before = [at for _, reports in _reports(story, Phase.BASELINE, workload) for at in reports]
    usual = _pace(before, account)
    if usual is None or sum(_done(before).values()) < _FEW:
        return
    most = story.recording.case.expect.slowdown
    for chapter, reports in _reports(story, Phase.STEADY, workload):
        halves = [_pace(half, account) for half in _halves(reports)]
        known = [pace for pace in halves if pace is not None]
        if len(known) < 2:
            continue
        what = f"pace of {workload} with {chapter.module} on"
        fastest = max(known)
        seen = (
            f"{fastest:,.0f} for each second that the host gave the guest, where {usual:,.0f} "
            f"were usual before: {fastest / usual:.2f} times as fast"
        )
        wanted = f"at least 1/{most:g} of before, for half of the time at least"
        margin = Margin(
            name="pace with the patch on, as a share of before",
            measured=fastest / usual,
            bound=1 / most,
            unit="",
            least=True,
        )
        ledger.hold(what, fastest * most >= usual, seen, wanted, reports[-1], margin=margin)


def _reports(story: Story, phase: Phase, workload: str) -> Iterator[tuple[Chapter, list[At]]]:
    """Yield the chapters of a phase with what the workload reported while they lasted."""
    begins = [chapter.events[0][1].host_ns for chapter in story.chapters]
    ends = [*begins[1:], begins[-1] + 1] if begins else []
    for chapter, begin, end in zip(story.chapters, begins, ends, strict=True):
        if chapter.phase is phase:
            yield (
                chapter,
                [
                    (index, sample)
                    for index, sample in story.recording.of(WorkloadSample)
                    if sample.workload == workload and begin <= sample.host_ns < end
                ],
            )


def _halves(reports: Sequence[At]) -> Sequence[list[At]]:
    stamps = [_time(at) for at in reports]
    if not stamps or max(stamps) - min(stamps) < _SHORTEST_NS:
        return ()
    middle = (min(stamps) + max(stamps)) // 2
    return [at for at in reports if _time(at) <= middle], [
        at for at in reports if _time(at) >= middle
    ]


def _pace(reports: Sequence[At], account: HostAccount) -> float | None:
    """Return all workers' operations for each second that the host gave the guest."""
    done = _done(reports)
    stamps = [_time(at) for at in reports]
    if not done or max(stamps) == min(stamps):
        return None
    passed = max(stamps) - min(stamps)
    given = account.given(min(stamps), max(stamps))
    if given is None:
        return None
    given = max(given, round(_LEAST_SHARE * passed))
    return sum(done.values()) * 1e9 / given


def _done(reports: Sequence[At]) -> dict[int, int]:
    """Return how many operations each worker did between its first report and its last."""
    of: dict[int, list[int]] = defaultdict(list)
    for _, sample in reports:
        of[sample.worker].append(sample.operations)
    return {worker: counts[-1] - counts[0] for worker, counts in of.items()}


def _time(at: At) -> int:
    return at[1].guest_ns if at[1].guest_ns is not None else at[1].host_ns
