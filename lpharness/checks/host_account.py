"""What the host did meanwhile: its account, laid beside the guest's clock."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from lpharness.checks.contract import Recording
from lpharness.timeline.events import ClockRead, HeartbeatBegan, HostShare


class HostAccount:
    """Answers how much of a stretch of guest time was the host's doing.

    The account is known at some moments only, so an answer is for the least stretch between two of
    them that holds the one in question: rather too much is put down to the host than too little.
    """

    def __init__(self, recording: Recording) -> None:
        self._clocks = [event for _, event in recording.of(ClockRead) if event.guest_ns is not None]
        shares = [event for _, event in recording.of(HostShare)]
        self._shares = sorted(shares, key=lambda share: share.host_ns)
        self._moments = [share.host_ns for share in self._shares]
        beating = next((event for _, event in recording.of(HeartbeatBegan)), None)
        self._cpus = len(beating.cpus) if beating else 0

    def waited(self, begin_ns: int, end_ns: int) -> int | None:
        """Return how long the guest's threads could have run and did not, in some guest time.

        ``None`` if the host did not tell of all of it.
        """
        span = self._span(begin_ns, end_ns)
        return None if span is None else span[1].waited_ns - span[0].waited_ns

    def waited_at_least(self, begin_ns: int, end_ns: int) -> int:
        """Return what is known of `waited`, though the host may not have told of all of it."""
        known = [share for share in self._shares if share.host_ns <= self._host(end_ns, +1)]
        begin = self._host(begin_ns, -1)
        before = [share for share in known if share.host_ns <= begin] or known[:1]
        return known[-1].waited_ns - before[-1].waited_ns if known else 0

    def ran(self, begin_ns: int, end_ns: int) -> int | None:
        """Return how long the guest's threads ran in some guest time; ``None`` as `waited`."""
        span = self._span(begin_ns, end_ns)
        return None if span is None else span[1].run_ns - span[0].run_ns

    def given(self, begin_ns: int, end_ns: int) -> int | None:
        """Return how much of some guest time the host gave to the guest, 1 ns at least.

        What its threads ran, spread over its CPUs, it had for certain, though some thread of its
        may have waited all the time; ``None`` as `waited`.
        """
        waited, ran = self.waited(begin_ns, end_ns), self.ran(begin_ns, end_ns)
        if waited is None or ran is None:
            return None
        passed = end_ns - begin_ns
        had = min(ran // self._cpus, passed) if self._cpus else 0
        return max(passed - waited, had, 1)

    def _span(self, begin_ns: int, end_ns: int) -> tuple[HostShare, HostShare] | None:
        if not self._clocks:
            return None
        begin = self._host(begin_ns, -1)
        end = self._host(end_ns, +1)
        first = bisect_right(self._moments, begin) - 1
        last = bisect_left(self._moments, end)
        if first < 0 or last >= len(self._moments):
            return None
        return self._shares[first], self._shares[last]

    def _host(self, guest_ns: int, side: int) -> int:
        """Return the host's time at a guest time, as early or late as the clocks allow."""
        if not self._clocks:
            return 0
        nearest = min(self._clocks, key=lambda clock: abs((clock.guest_ns or 0) - guest_ns))
        offset = nearest.host_ns - (nearest.guest_ns or 0)
        return guest_ns + offset + side * nearest.uncertainty_ns
