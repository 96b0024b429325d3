"""The queue of events: by time, and by order of arrival within one nanosecond.

What comes within two milliseconds is in a binary heap. What comes later lies in a wheel (Varghese
and Lauck, SOSP 1987): a list for each slot of time, in no order, until its slot is reached. Of a
million sleeping tasks a heap of all would be too large for the processor's caches, and miss them
level by level; the order in which events come is the same.
"""

from __future__ import annotations

from lpharness.simulation import codes, fields
from lpharness.simulation.compiled import compiled, compiled_apart
from lpharness.simulation.machine import Machine

SHIFT = 21
"""A slot is so many bits of nanoseconds wide: 2.1 ms; the wheel turns once in 8.6 s."""


@compiled
def push(m: Machine, time: int, kind: int, who: int) -> None:
    """Have ``kind`` happen to ``who`` at ``time``."""
    if 2 * (m.g[codes.HEAP] + m.g[codes.LATER]) == len(m.event):
        forget_stale(m)
    order = int(m.g[codes.ORDER])
    m.g[codes.ORDER] = order + 1
    if time >> SHIFT <= m.g[codes.SLOT]:
        size = int(m.g[codes.HEAP])
        _rise(m, size, time, (order << 4) | kind, who)
        m.g[codes.HEAP] = size + 1
    else:
        _put_by(m, time, (order << 4) | kind, who)


@compiled
def none_left(m: Machine) -> bool:
    """Return whether nothing will happen any more; if not, the first row has the earliest event."""
    while m.g[codes.HEAP] == 0:
        if m.g[codes.LATER] == 0:
            return True
        _reach_slot(m)
    return False


@compiled
def _put_by(m: Machine, time: int, key: int, who: int) -> None:
    """Put an event into its slot of the wheel."""
    place = int(m.g[codes.FREE])
    if place < 0:
        place = int(m.g[codes.FRESH])
        m.g[codes.FRESH] = place + 1
    else:
        m.g[codes.FREE] = m.event[place, fields.LINK]
    m.event[place, fields.TIME] = time
    m.event[place, fields.KEY] = key
    m.event[place, fields.WHO] = who
    _hang(m, place, time >> SHIFT)
    m.g[codes.LATER] += 1


@compiled
def _hang(m: Machine, place: int, slot: int) -> None:
    """Make an event of the wheel the first in its slot."""
    hook = codes.WHEEL + slot % codes.SLOTS
    m.event[place, fields.LINK] = m.g[hook]
    m.g[hook] = place


@compiled
def _take_off(m: Machine, place: int) -> None:
    """Let the place of an event be used again."""
    m.event[place, fields.LINK] = m.g[codes.FREE]
    m.g[codes.FREE] = place
    m.g[codes.LATER] -= 1


@compiled
def _reach_slot(m: Machine) -> None:
    """Put the events of the next slot into the heap; those of the wheel's next turns stay.

    But for wake-ups of tasks that were woken meanwhile. To look at them here, one after the other,
    has the processor fetch many tasks at a time.
    """
    slot = int(m.g[codes.SLOT]) + 1
    m.g[codes.SLOT] = slot
    hook = codes.WHEEL + slot % codes.SLOTS
    place = int(m.g[hook])
    m.g[hook] = -1
    while place >= 0:
        after, time = int(m.event[place, fields.LINK]), int(m.event[place, fields.TIME])
        if time >> SHIFT != slot:
            _hang(m, place, slot)
        else:
            key, who = int(m.event[place, fields.KEY]), int(m.event[place, fields.WHO])
            _take_off(m, place)
            if key & 15 != codes.WAKE or m.context[who, fields.WAKE_AT] == time:
                size = int(m.g[codes.HEAP])
                _rise(m, size, time, key, who)
                m.g[codes.HEAP] = size + 1
        place = after


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


@compiled_apart
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
    for slot in range(codes.SLOTS):
        _forget_stale_in(m, slot)
    if 2 * (m.g[codes.HEAP] + m.g[codes.LATER]) == len(m.event):
        raise MemoryError


@compiled_apart
def _forget_stale_in(m: Machine, slot: int) -> None:
    place = int(m.g[codes.WHEEL + slot])
    m.g[codes.WHEEL + slot] = -1
    while place >= 0:
        after, who = int(m.event[place, fields.LINK]), int(m.event[place, fields.WHO])
        wakes = m.event[place, fields.KEY] & 15 == codes.WAKE
        if wakes and m.context[who, fields.WAKE_AT] != m.event[place, fields.TIME]:
            _take_off(m, place)
        else:
            _hang(m, place, slot)
        place = after
