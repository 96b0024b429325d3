"""How much work the guest got done, from what the workers reported."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import pairwise

from msgspec import Struct

from lpharness.results.clock import GuestClock
from lpharness.timeline.events import Event, WorkloadBegan, WorkloadSample

SECOND = 1_000_000_000
BIN_NS = SECOND // 10
"""Width of a bar of the throughput picture: as often as a worker reports."""
_MOST_BINS = 1200


class Rate(Struct, frozen=True):
    """Operations per second of all workers together, from ``began_ns`` to ``ended_ns``."""

    began_ns: int
    ended_ns: int
    per_second: float


class Gap(Struct, frozen=True):
    """The longest time without an operation that one worker told of in one report."""

    began_ns: int
    """The previous report, or the workload's beginning."""
    ended_ns: int
    worker: str
    gap_ns: int


class Worker:
    """One worker's reports. Between two of them its operations are taken as evenly spread."""

    def __init__(self, name: str, began_ns: int | None = None) -> None:
        self.name = name
        self.times: list[int] = []
        self.operations: list[int] = []
        self.errors = 0
        self.gaps: list[Gap] = []
        if began_ns is not None:
            self.times, self.operations = [began_ns], [0]

    def add(self, at_ns: int, sample: WorkloadSample) -> None:
        """Take in a report; one that is not later than the last is folded into it."""
        began = self.times[-1] if self.times else at_ns - sample.longest_gap_ns
        self.errors = max(self.errors, sample.errors)
        self.gaps.append(Gap(min(began, at_ns), at_ns, self.name, sample.longest_gap_ns))
        if self.times and at_ns <= self.times[-1]:
            self.operations[-1] = max(self.operations[-1], sample.operations)
            return
        self.times.append(at_ns)
        self.operations.append(sample.operations)

    def total_at(self, at_ns: int) -> float:
        """Return the operations done up to a moment."""
        if at_ns <= self.times[0]:
            return self.operations[0]
        if at_ns >= self.times[-1]:
            return self.operations[-1]
        index = bisect_left(self.times, at_ns)
        (t0, t1), (n0, n1) = (
            self.times[index - 1 : index + 1],
            self.operations[index - 1 : index + 1],
        )
        return n0 + (n1 - n0) * (at_ns - t0) / (t1 - t0)


def workers(events: Iterable[Event], clock: GuestClock) -> list[Worker]:
    """Return the workers of all workloads that reported anything."""
    found: dict[tuple[str, int], Worker] = {}
    began: dict[str, int] = {}
    for event in events:
        if isinstance(event, WorkloadBegan):
            began[event.workload] = clock.of(event)
        elif isinstance(event, WorkloadSample):
            key = event.workload, event.worker
            if key not in found:
                name = f"{event.workload} {event.worker}"
                found[key] = Worker(name, began.get(event.workload))
            found[key].add(clock.of(event), event)
    return list(found.values())


def span(all_workers: Sequence[Worker]) -> tuple[int, int] | None:
    """Return the first and last moment of which the workers tell."""
    if not all_workers:
        return None
    first = min(worker.times[0] for worker in all_workers)
    last = max(worker.times[-1] for worker in all_workers)
    return (first, last) if last > first else None


def rate(all_workers: Sequence[Worker], began_ns: int, ended_ns: int) -> float | None:
    """Return operations per second in a window, cut to what the workers tell of it."""
    covered = span(all_workers)
    if covered is None:
        return None
    began_ns, ended_ns = max(began_ns, covered[0]), min(ended_ns, covered[1])
    if ended_ns <= began_ns:
        return None
    done = sum(worker.total_at(ended_ns) - worker.total_at(began_ns) for worker in all_workers)
    return done * SECOND / (ended_ns - began_ns)


def rates(all_workers: Sequence[Worker]) -> list[Rate]:
    """Return the rate per `BIN_NS`; wider bins where there would be over a thousand."""
    covered = span(all_workers)
    if covered is None:
        return []
    began, ended = covered
    count = min(_MOST_BINS, max(1, round((ended - began) / BIN_NS)))
    edges = [began + (ended - began) * number // count for number in range(count + 1)]
    return [
        Rate(left, right, rate(all_workers, left, right) or 0.0) for left, right in pairwise(edges)
    ]


def gaps(all_workers: Sequence[Worker]) -> list[Gap]:
    """Return what every worker said of its longest gaps, in order of time."""
    return sorted((gap for w in all_workers for gap in w.gaps), key=lambda gap: gap.ended_ns)
