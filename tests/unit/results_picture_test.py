import pytest
from hypothesis import given
from hypothesis import strategies as st
from results_samples import SAMPLES, broken, skipped

from lpharness.results.figures import figures
from lpharness.results.picture import Axis, TimelinePicture, timeline_picture
from lpharness.timeline.events import (
    Event,
    GuestNotified,
    Phase,
    PhaseBegan,
    TransitionMarked,
)

S = 1_000_000_000


def _phase(at: float, name: str) -> Event:
    return PhaseBegan(host_ns=int(at * S), phase=Phase(name))


def _mark(at: float, mark: str) -> Event:
    return TransitionMarked(
        host_ns=int(at * S),
        guest_ns=int(at * S),
        patch="p",
        mark=mark,
        direction="patching",
        source="kmsg",
    )


def _picture(*events: Event) -> TimelinePicture:
    picture = timeline_picture(events, figures(events))
    assert picture
    return picture


def test_a_transition_too_short_for_its_label_has_it_beside_itself() -> None:
    (short,) = _picture(
        _phase(0, "boot"), _mark(2, "began"), _mark(2.03, "completed"), _phase(10, "end")
    ).transitions
    assert (short.label, short.anchor, short.fits) == ("patching 30 ms", "start", "all")
    (long,) = _picture(
        _phase(0, "boot"), _mark(2, "began"), _mark(9, "completed"), _phase(10, "end")
    ).transitions
    assert (long.label, long.anchor, long.label_x) == ("patching 7.00 s", "middle", 55.0)


def test_a_label_at_the_very_end_is_left_to_the_title() -> None:
    (move,) = _picture(
        _phase(0, "boot"), _mark(9.95, "began"), _mark(9.98, "completed"), _phase(10, "end")
    ).transitions
    assert move.fits == "none"
    assert move.title == "p: patching 30 ms"


def test_what_the_harness_did_to_the_machine_is_no_mark() -> None:
    events = (_phase(0, "boot"), _phase(9, "end"))
    told = [GuestNotified(host_ns=S, name=name) for name in ("RESUME", "RESET", "STOP")]
    (mark,) = _picture(*events, *told).marks
    assert "RESET" in mark.title


def test_building_is_left_out_of_the_axis() -> None:
    picture = _picture(_phase(0, "build"), _phase(60, "boot"), _phase(61, "end"))
    assert [(block.label, block.x, block.width) for block in picture.phases] == [("boot", 0, 100)]


def test_no_phases_no_picture() -> None:
    assert timeline_picture(skipped()[1], figures([])) is None


@pytest.mark.parametrize("make", SAMPLES.values())
def test_everything_lies_inside(make: object) -> None:
    _, events, _ = make()  # type: ignore[operator]
    picture = timeline_picture(events, figures(events))
    if picture is None:
        assert make is skipped
        return
    for block in (*picture.phases, *picture.transitions):
        assert 0 <= block.x <= block.x + block.width <= 100.001
    for bar in (*picture.bars, *picture.gaps):
        assert 0 <= bar.x <= 100
        assert bar.y >= 0
        assert bar.height >= 0
    assert 2 <= len(picture.ticks) <= 15 or make is broken


@given(st.integers(-(10**12), 10**13), st.integers(0, 10**13))
def test_any_axis_has_a_few_round_ticks(began: int, length: int) -> None:
    ticks = Axis(began, began + length).ticks()
    assert 1 <= len(ticks) <= 9
    assert [tick.x for tick in ticks] == sorted({tick.x for tick in ticks})
