"""One time axis for a timeline whose events carry either clock, or both."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from lpharness.timeline.events import ClockRead, Event


class GuestClock:
    """Tells the guest's ``CLOCK_BOOTTIME`` of any event of a timeline.

    An event that the guest stamped keeps its stamp. Another one is placed by the last `ClockRead`
    before it. Without any, the tightest bound is used that the stamped events give: an event is
    learnt of after it happened, so guest minus host is at most the true difference.
    """

    def __init__(self, events: Sequence[Event]) -> None:
        reads = sorted(
            (event.host_ns, event.guest_ns - event.host_ns)
            for event in events
            if isinstance(event, ClockRead) and event.guest_ns is not None
        )
        stamped = [e.guest_ns - e.host_ns for e in events if e.guest_ns is not None]
        self._hosts = [host for host, _ in reads]
        self._offsets = [offset for _, offset in reads]
        self._fallback = max(stamped, default=0)
        self.known = bool(stamped)
        """Whether the guest ever told its time; if not, times are the host's."""

    def at(self, host_ns: int) -> int:
        """Return the guest's nanoseconds at a moment of the host's."""
        if not self._hosts:
            return host_ns + self._fallback
        index = max(0, bisect_right(self._hosts, host_ns) - 1)
        return host_ns + self._offsets[index]

    def of(self, event: Event) -> int:
        """Return the guest's nanoseconds at which ``event`` happened."""
        return self.at(event.host_ns) if event.guest_ns is None else event.guest_ns
