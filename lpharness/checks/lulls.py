"""How long a worker did nothing, what the host kept away from the guest left out."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from lpharness.checks.host_account import HostAccount
from lpharness.timeline.events import WorkloadSample

At = tuple[int, WorkloadSample]
Workers = dict[int, list[At]]
"""The reports of each worker, in order."""


class Lull(NamedTuple):
    """A time without an operation of one worker's, in nanoseconds."""

    own_ns: int
    """What of it the host gave to the guest; all of it where the host does not tell."""
    whole_ns: int
    worker: int
    at: At
    """The report that ended it."""


def longest_lulls(workers: Workers, previous: Workers, account: HostAccount) -> list[Lull]:
    """Return each worker's longest: what it says itself, or the time between two reports.

    A report covers the time since the one before, so a window's first report is measured from the
    previous window's last one. A worker that hangs cannot report that it does; the next report
    comes late, and says so by its stamp.
    """
    return [
        _longest(worker, [*previous.get(worker, [])[-1:], *reports], len(reports), account)
        for worker, reports in workers.items()
    ]


def _longest(worker: int, reports: list[At], fresh: int, account: HostAccount) -> Lull:
    """Return the longest of the last ``fresh`` reports of a worker."""
    before: list[At | None] = [None, *(first for first, _ in pairwise(reports))]
    pairs = list(zip(before, reports, strict=True))[-fresh:]
    spans = sorted((_span(first, second) for first, second in pairs), key=lambda span: -span[0])
    best: Lull | None = None
    for whole, begin, at in spans:
        if best is not None and whole <= best.own_ns:
            break
        given = None if begin is None else account.given(begin, begin + whole)
        own = whole if given is None else min(whole, given)
        if best is None or own > best.own_ns:
            best = Lull(own, whole, worker, at)
    assert best is not None
    return best


def _span(first: At | None, second: At) -> tuple[int, int | None, At]:
    """Return how long nothing was done before a report, and since when where that is known."""
    whole, end = second[1].longest_gap_ns, second[1].guest_ns
    if end is None:
        return whole, None, second
    if first is not None and first[1].guest_ns is not None:
        whole = max(whole, end - first[1].guest_ns)
    return whole, end - whole, second
