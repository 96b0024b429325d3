"""Many machines rolled out in waves: who is patched live, who stalls, and what reboots it spares.

Each machine's transition is drawn, with replacement, from simulated ones of the scenario.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from lpharness.base.errors import InputError
from lpharness.simulation.durations import nanoseconds
from lpharness.simulation.machine import Array
from lpharness.simulation.outcome import Outcome
from lpharness.simulation.scenario import Fleet

_SECOND = 1e9
_MOST_MACHINES = 10_000_000


class Wave(Struct, frozen=True):
    """One wave of a rollout."""

    machines: int
    patched: int
    """Live, without a reboot."""
    stalled: int
    """Given up, or not over at the scenario's limit."""
    took_s: float
    """Until the last of those that were patched."""


class Rollout(Struct, frozen=True, kw_only=True):
    """A fleet's rollout under one model."""

    model: str
    waves: list[Wave]
    stopped_after: int | None
    """The wave of which too many stalled: no later one began; ``None`` if all were rolled out."""
    patched: int
    stalled: int
    untouched: int
    reboots_avoided: int
    downtime_avoided_s: float
    """Of all machines together: a reboot of each that was patched, less the time its CPUs stood."""
    stood_still_s: float
    """Of all machines together: the longest stop of each."""
    took_s: float
    """From the first wave's begin to the last one's end, watching included."""


def roll_out(fleet: Fleet, model: str, samples: Sequence[Outcome], seed: int) -> Rollout:
    """Return how a fleet fares whose machines behave like ``samples``.

    Raises:
        InputError: the fleet cannot be.
    """
    _reject(fleet)
    reboot, watch = nanoseconds(fleet.reboot) / _SECOND, nanoseconds(fleet.watch) / _SECOND
    random = np.random.default_rng((seed, 3))
    took = np.array([-1.0 if it.completed_s is None else it.completed_s for it in samples])
    stood = np.array([sum(stop.stopped.most for stop in it.stops) for it in samples])
    waves: list[Wave] = []
    stopped, still = None, 0.0
    for number, machines in enumerate(fleet.waves, 1):
        drawn: Array = random.integers(0, len(samples), machines)
        waves.append(_wave(took[drawn]))
        still += float(stood[drawn].sum())
        if waves[-1].stalled > fleet.stop_at * machines:
            stopped = number
            break
    patched, stalled = sum(w.patched for w in waves), sum(w.stalled for w in waves)
    return Rollout(
        model=model,
        waves=waves,
        stopped_after=stopped,
        patched=patched,
        stalled=stalled,
        untouched=sum(fleet.waves) - patched - stalled,
        reboots_avoided=patched,
        downtime_avoided_s=patched * reboot - still,
        stood_still_s=still,
        took_s=sum(wave.took_s for wave in waves) + watch * (len(waves) - 1),
    )


def _reject(fleet: Fleet) -> None:
    if not fleet.waves or min(fleet.waves) < 1 or sum(fleet.waves) > _MOST_MACHINES:
        raise InputError(f"fleet: waves must be of 1 machine or more, {_MOST_MACHINES} in all")
    if not 0 <= fleet.stop_at <= 1:
        raise InputError("fleet: stop_at must be a share from 0 to 1")


def _wave(took: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Wave:
    over = took[took >= 0]
    longest = float(over.max()) if len(over) else 0.0
    return Wave(len(took), len(over), len(took) - len(over), longest)
