"""How much of the time that a guest could have used the host gave to it."""

from __future__ import annotations

import math
from bisect import bisect_left
from statistics import mean

from lpharness.checks.contract import Recording
from lpharness.timeline.events import (
    Heartbeat,
    HeartbeatBegan,
    HostShare,
    Phase,
    PhaseBegan,
)

_LEAST_NS = 50_000_000
"""Of less the host's account tells nothing."""


def share_before(recording: Recording) -> float | None:
    """Return the share of the baseline, before anything was changed; ``None`` if nobody tells."""
    return _share(recording, _began(recording, Phase.BASELINE), _began(recording, Phase.LOAD))


def share_around(recording: Recording, direction: str) -> float | None:
    """Return the share of the phases in which a transition ran."""
    if direction == "patching":
        return _share(recording, _began(recording, Phase.LOAD), _began(recording, Phase.STEADY))
    return _share(recording, _began(recording, Phase.UNLOAD), _began(recording, Phase.AFTER))


def _began(recording: Recording, phase: Phase) -> int | None:
    return next((e.host_ns for _, e in recording.of(PhaseBegan) if e.phase is phase), None)


def _share(recording: Recording, since_ns: int | None, until_ns: int | None) -> float | None:
    looks = [event for _, event in recording.of(HostShare)]
    if since_ns is None or len(looks) < 2:
        return None
    times = [look.host_ns for look in looks]
    first = looks[min(bisect_left(times, since_ns), len(looks) - 1)]
    last = looks[-1] if until_ns is None else looks[max(0, bisect_left(times, until_ns) - 1)]
    ran, waited = last.run_ns - first.run_ns, last.waited_ns - first.waited_ns
    return ran / (ran + waited) if ran > 0 and ran + waited >= _LEAST_NS else None


def theft_before(recording: Recording) -> float | None:
    """Return how long the host takes a CPU away at a time, in seconds, by the baseline's gaps.

    Each report of the heartbeats has the longest gap since the one before, of however many there
    were. If thefts of mean length L come so often that the guest keeps its share, the longest of
    k of them is about L (ln k + 0.58): solved for L.
    """
    share, began = share_before(recording), next(recording.of(HeartbeatBegan), None)
    since, until = _began(recording, Phase.BASELINE), _began(recording, Phase.LOAD)
    if share is None or began is None or since is None or until is None:
        return None
    reports = [e for _, e in recording.of(Heartbeat) if since <= e.host_ns < until]
    period = began[1].period_ns
    gaps = [cpu.longest_gap_ns - period for report in reports for cpu in report.cpus]
    gaps = [gap for gap in gaps if gap > 0]
    if len(reports) < 2 or not gaps or share >= 1:
        return None
    apart = (reports[-1].host_ns - reports[0].host_ns) / (len(reports) - 1)
    longest = length = mean(gaps)
    for _ in range(20):
        thefts = max(1.0, apart * (1 - share) / length)
        length = longest / (math.log(thefts) + 0.5772)
    return length / 1e9
