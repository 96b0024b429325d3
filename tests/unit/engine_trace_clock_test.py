"""A trace's stamps in the boot clock's time, whatever rate the kernel took its counter for."""

from hypothesis import given
from hypothesis import strategies as st

from lpharness.engine.trace_clock import Moment, TraceClock, read_moment

S = 1_000_000_000


def moment(boot: int, local: int) -> Moment:
    return Moment(boot=boot, local=local, uncertainty=0)


@given(
    rate=st.floats(0.1, 10),
    began=st.integers(0, 10**13),
    ahead=st.integers(-(10**12), 10**12),
    span=st.integers(12 * S, 10**12),
    share=st.floats(0, 1),
)
def test_between_two_moments_the_rate_is_theirs(
    rate: float, began: int, ahead: int, span: int, share: float
) -> None:
    """Seen: a guest that took its counter for five times slower than it was."""
    clock = TraceClock()
    first = moment(began, began + ahead)
    clock.begin(first)
    clock.end(moment(began + span, first.local + round(span * rate)))
    found = clock.boot_ns(first.local + round(span * rate * share))
    assert abs(found - (began + round(span * share))) <= 1_000 + 1 / rate


def test_moments_that_are_close_tell_no_rate() -> None:
    clock = TraceClock()
    clock.begin(moment(5 * S, 7 * S))
    clock.end(moment(5 * S + 1_000, 7 * S + 9_000))
    assert clock.boot_ns(7 * S + 9_000 - S) == 4 * S + 1_000


def test_one_moment_is_enough() -> None:
    clock = TraceClock()
    clock.end(moment(5 * S, 7 * S))
    assert clock.boot_ns(6 * S) == 4 * S


def test_what_the_guest_says() -> None:
    said = read_moment('{"boot":1,"local":2,"uncertainty":3}\n')
    assert said == Moment(boot=1, local=2, uncertainty=3)
    assert read_moment("no mark could be read back") is None
