"""The queue of events: a binary heap by time, and by order of arrival within one nanosecond."""

from __future__ import annotations

from lpharness.simulation import codes, fields
from lpharness.simulation.compiled import compiled
from lpharness.simulation.machine import Machine


@compiled
def push(m: Machine, time: int, kind: int, who: int) -> None:
    """Have ``kind`` happen to ``who`` at ``time``."""
    size = int(m.g[codes.HEAP])
    if size == len(m.event):
        forget_stale(m)
        size = int(m.g[codes.HEAP])
    order = int(m.g[codes.ORDER])
    m.g[codes.ORDER] = order + 1
    _rise(m, size, time, (order << 4) | kind, who)
    m.g[codes.HEAP] = size + 1


@compiled
def _rise(m: Machine, hole: int, time: int, key: int, who: int) -> None:
    while hole > 0:
        above = (hole - 1) >> 1
        if m.event[above, fields.TIME] < time or (
            m.event[above, fields.TIME] == time and m.event[above, fields.KEY] < key
        ):
            break
        m.event[hole, fields.TIME] = m.event[above, fields.TIME]
        m.event[hole, fields.KEY] = m.event[above, fields.KEY]
        m.event[hole, fields.WHO] = m.event[above, fields.WHO]
        hole = above
    m.event[hole, fields.TIME] = time
    m.event[hole, fields.KEY] = key
    m.event[hole, fields.WHO] = who


@compiled
def drop_first(m: Machine) -> None:
    """Take the earliest event away."""
    last = int(m.g[codes.HEAP]) - 1
    m.g[codes.HEAP] = last
    time, key, who = (
        int(m.event[last, fields.TIME]),
        int(m.event[last, fields.KEY]),
        int(m.event[last, fields.WHO]),
    )
    hole = 0
    while True:
        below = 2 * hole + 1
        if below >= last:
            break
        if below + 1 < last and _before(m, below + 1, below):
            below += 1
        if time < m.event[below, fields.TIME] or (
            time == m.event[below, fields.TIME] and key < m.event[below, fields.KEY]
        ):
            break
        m.event[hole, fields.TIME] = m.event[below, fields.TIME]
        m.event[hole, fields.KEY] = m.event[below, fields.KEY]
        m.event[hole, fields.WHO] = m.event[below, fields.WHO]
        hole = below
    m.event[hole, fields.TIME] = time
    m.event[hole, fields.KEY] = key
    m.event[hole, fields.WHO] = who


@compiled
def _before(m: Machine, one: int, other: int) -> bool:
    if m.event[one, fields.TIME] != m.event[other, fields.TIME]:
        return bool(m.event[one, fields.TIME] < m.event[other, fields.TIME])
    return bool(m.event[one, fields.KEY] < m.event[other, fields.KEY])


@compiled
def forget_stale(m: Machine) -> None:
    """Drop the wake-ups of tasks that were woken earlier by something else."""
    size = int(m.g[codes.HEAP])
    kept = 0
    for place in range(size):
        time = int(m.event[place, fields.TIME])
        key, who = int(m.event[place, fields.KEY]), int(m.event[place, fields.WHO])
        if key & 15 != codes.WAKE or m.context[who, fields.WAKE_AT] == time:
            _rise(m, kept, time, key, who)
            kept += 1
    m.g[codes.HEAP] = kept
    if kept == len(m.event):
        raise MemoryError
