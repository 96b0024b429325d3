"""The queue of events: the order of one sorted list, whatever lies in its heap and its wheel."""

import simulation_support as support

# isort: split
import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from lpharness.simulation import codes, events, fields
from lpharness.simulation.build import build
from lpharness.simulation.machine import Machine

TURN = codes.SLOTS << events.SHIFT
"""How long the wheel takes to come round."""
SOON = st.integers(0, 3_000_000)
LATE = st.integers(0, 5 * TURN)
TASK = 0


def queue() -> Machine:
    """Return a machine to which nothing happens."""
    machine, _ = build(support.small(), "hybrid", 1)
    while not events.none_left(machine):
        events.drop_first(machine)
    machine.g[codes.SLOT] = -1
    return machine


def first(machine: Machine) -> tuple[int, int, int]:
    time, key, who = machine.event[0, [fields.TIME, fields.KEY, fields.WHO]].tolist()
    return time, key & 15, who


@settings(deadline=None, max_examples=60)
@given(steps=st.lists(st.tuples(st.booleans(), st.one_of(SOON, LATE)), max_size=60))
def test_events_come_by_time_and_then_by_arrival(steps: list[tuple[bool, int]]) -> None:
    machine, waiting, now = queue(), [], 0
    for number, (take, later) in enumerate(steps):
        if take:
            assert events.none_left(machine) is (not waiting)
            if waiting:
                waiting.sort()
                now, _, who = waiting.pop(0)
                assert first(machine) == (now, codes.WORK, who)
                events.drop_first(machine)
        else:
            events.push(machine, now + later, codes.WORK, number)
            waiting.append((now + later, number, number))
    for time, _, who in sorted(waiting):
        assert not events.none_left(machine)
        assert first(machine) == (time, codes.WORK, who)
        events.drop_first(machine)
    assert events.none_left(machine)
    assert machine.g[codes.LATER] == 0


@pytest.mark.parametrize("later", [5, TURN // 2, 3 * TURN])
def test_a_full_queue_forgets_whom_somebody_else_woke(later: int) -> None:
    machine = queue()
    room = len(machine.event) // 2
    machine.context[TASK, fields.WAKE_AT] = later
    for number in range(room):  # the task was put to sleep and woken, again and again
        events.push(machine, later + number % 2, codes.WAKE, TASK)
    events.push(machine, later, codes.WORK, 7)
    assert machine.g[codes.HEAP] + machine.g[codes.LATER] == room - room // 2 + 1
    found = []
    while not events.none_left(machine):
        found.append(first(machine))
        events.drop_first(machine)
    assert found == [(later, codes.WAKE, TASK)] * (room - room // 2) + [(later, codes.WORK, 7)]


@pytest.mark.parametrize("later", [5, TURN // 2])
def test_a_queue_full_of_what_will_happen_is_an_error(later: int) -> None:
    machine = queue()
    for _ in range(len(machine.event) // 2):
        events.push(machine, later, codes.WORK, 0)
    with pytest.raises(MemoryError):
        events.push(machine, later, codes.WORK, 0)
