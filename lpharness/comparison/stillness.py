"""How long CPUs did no task's work, by the heartbeats in the kernel, where a trial had them.

The module ``lph_beats`` (``beats/lph_beats.c``) says what counts as work. A heartbeat in the kernel
comes each 50 µs to some ms, so it tells stretches apart that a process's heartbeat of 10 ms cannot.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lpharness.checks.contract import Recording
from lpharness.checks.host_account import HostAccount
from lpharness.comparison.measured import Beating, StandStill
from lpharness.timeline.events import BeatsBegan, BeatsRead


@dataclass(frozen=True, slots=True)
class Still:
    """One stretch, in nanoseconds of guest time."""

    cpu: int
    began_ns: int
    ended_ns: int
    deaf_ns: int
    """The longest part of it without any interrupt."""
    own_ns: int
    """What of it the host's account does not explain; all of it where there is none."""

    @property
    def length_ns(self) -> int:
        """How long it was, whoever made it."""
        return self.ended_ns - self.began_ns


class Stillness:
    """Every stretch that a trial's heartbeats in the kernel kept."""

    def __init__(self, recording: Recording) -> None:
        self.beating = _beating(recording)
        """How they beat; ``None`` if there were none."""
        self.stills = sorted(_stills(recording), key=lambda still: still.ended_ns)
        self._ends = [still.ended_ns for still in self.stills]

    def within(self, begin_ns: int, end_ns: int) -> Sequence[Still]:
        """Return the stretches of which a part lies in some guest time."""
        first = bisect_left(self._ends, begin_ns + 1)
        return [still for still in self.stills[first:] if still.began_ns < end_ns]

    def felt(self, begin_ns: int, end_ns: int) -> float | None:
        """Return how long the longest of those was, in seconds; ``None`` if there was none."""
        found = self.within(begin_ns, end_ns)
        return max(still.length_ns for still in found) / 1e9 if found else None

    def told(self, zero_ns: int) -> tuple[StandStill, ...]:
        """Return all of them, in order, as the samples of a measured trial.

        Args:
            zero_ns: the guest time that they count from.
        """
        return tuple(
            StandStill(
                cpu=still.cpu,
                at_s=(still.began_ns - zero_ns) / 1e9,
                seconds=still.length_ns / 1e9,
                deaf_s=still.deaf_ns / 1e9,
                own_s=still.own_ns / 1e9,
            )
            for still in self.stills
        )


def _beating(recording: Recording) -> Beating | None:
    began = next(recording.of(BeatsBegan), None)
    read = [event for _, event in recording.of(BeatsRead)]
    if began is None or not read:
        return None
    return Beating(
        cpus=len({event.cpu for event in read}),
        period_s=began[1].period_ns / 1e9,
        kept_s=began[1].kept_ns / 1e9,
        cost_s=began[1].cost_ns / 1e9 if began[1].cost_ns else None,
        chosen=began[1].chosen,
        lost=sum(event.lost for event in read),
    )


def _stills(recording: Recording) -> Iterator[Still]:
    account = HostAccount(recording)
    for _, event in recording.of(BeatsRead):
        for gap in event.gaps:
            began = gap.ended_ns - gap.length_ns
            waited = account.waited(began, gap.ended_ns) or 0
            yield Still(
                cpu=event.cpu,
                began_ns=began,
                ended_ns=gap.ended_ns,
                deaf_ns=gap.deaf_ns,
                own_ns=max(gap.length_ns - waited, 0),
            )
