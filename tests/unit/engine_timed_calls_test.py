"""What a case says of the calls that it timed becomes an event."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpharness.base.errors import GuestError
from lpharness.engine.timed_calls import parse
from lpharness.timeline.events import CallBurst

numbers = st.integers(min_value=0, max_value=2**64 - 1)
bursts = st.lists(st.builds(CallBurst, numbers, numbers, numbers, numbers))


@given(st.integers(min_value=1, max_value=10**6), bursts)
def test_what_is_written_is_read_back(calls: int, found: list[CallBurst]) -> None:
    lines = [f"calls\t{calls}"]
    lines += [f"burst\t{b.at_ns}\t{b.clock_ns}\t{b.timed_ns}\t{b.twin_ns}" for b in found]
    assert parse("\n".join(lines) + "\n", "/proc/x") == (calls, tuple(found))


@pytest.mark.parametrize(
    "text",
    ["", "calls\t0\n", "calls\tmany\n", "burst\t1\t2\t3\t4\n", "calls\t9\nburst\t1\t2\t3\n", "x\n"],
)
def test_what_is_not_of_that_form_is_refused_by_name(text: str) -> None:
    with pytest.raises(GuestError, match="/proc/x"):
        parse(text, "/proc/x")
