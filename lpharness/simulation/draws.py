"""Random durations: a stream for each context, and distributions as tables of quantiles.

The generator is L'Ecuyer's combined one (CACM 31(6), 1988): it stays within 64-bit integers, so
that compiled and interpreted code draw the same numbers. Each context has a stream of its own, so
that a task lives through the same life under every model until the model changes it.
"""

from __future__ import annotations

from lpharness.simulation import fields
from lpharness.simulation.compiled import compiled
from lpharness.simulation.machine import Machine

RANGE = 2147483562
"""`draw` returns a number from 1 to here."""
FIRST, SECOND = 2147483563, 2147483399


@compiled
def draw(m: Machine, context: int) -> int:
    """Return the next number of a context's stream, 1 to `RANGE`."""
    first = int(m.context[context, fields.SEED1]) * 40014 % 2147483563
    second = int(m.context[context, fields.SEED2]) * 40692 % 2147483399
    m.context[context, fields.SEED1] = first
    m.context[context, fields.SEED2] = second
    mixed = (first - second) % 2147483562
    return mixed if mixed > 0 else 2147483562


@compiled
def duration(m: Machine, context: int, table: int) -> int:
    """Return nanoseconds from a distribution, at least 1."""
    last = len(m.quantiles[table]) - 1
    place = (draw(m, context) - 1) * last
    index = place // 2147483562
    part = (place % 2147483562) >> 16
    low = int(m.quantiles[table, index])
    high = int(m.quantiles[table, index + 1])
    return max(1, low + (high - low) * part // 32768)


@compiled
def delay(m: Machine, table: int) -> int:
    """Return nanoseconds of the kernel's own work, from a distribution; 0 where there is none."""
    return duration(m, len(m.context) - 1, table) if table >= 0 else 0
