"""What a call costs: bursts put into the stage in which they were, and their middle."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from checks_samples import BOOTED, MODULE, OLD, SECOND, clean, insert
from comparison_samples import stopping, under
from hypothesis import given
from hypothesis import strategies as st

from lpharness.checks import Recording
from lpharness.comparison import compare, measure
from lpharness.comparison.cost import costs, middle
from lpharness.comparison.files import write
from lpharness.comparison.measured import STAGES, Call
from lpharness.comparison.report import Report
from lpharness.comparison.tables import tables
from lpharness.results.model import Verdict
from lpharness.timeline.events import CallBurst, CallsTimed

# When in the trial, and how long a call takes then; the load is at 1 s, a transition takes 1.2 s.
TIMED = (
    (0.5, "before", 30),
    (0.6, "before", 32),
    (1.05, None, 500),
    (1.5, "patching", 90),
    (3.0, "patched", 60),
    (3.5, "patched", 64),
    (4.5, "unpatching", 95),
    (7.0, "after", 31),
)


def timing(recording: Recording, *timed: tuple[float, object, int]) -> Recording:
    """Let its case time calls, a hundred in a burst: 20 ns for one of the twin, 40 for a clock."""
    bursts = tuple(
        CallBurst(BOOTED + round(at * SECOND), 40, 40 + 100 * ns, 40 + 100 * 20)
        for at, _, ns in timed
    )
    return insert(
        recording, 7.88, CallsTimed, module=MODULE, function=OLD, calls=100, bursts=bursts
    )


def test_each_burst_is_of_the_stage_in_which_it_was() -> None:
    calls = measure(timing(clean(), *TIMED), Verdict.PASS, "").calls
    assert [call.stage for call in calls] == [stage for _, stage, _ in TIMED]
    assert [call.ns for call in calls] == pytest.approx([ns for _, _, ns in TIMED])
    assert {call.twin_ns for call in calls} == {20.0}
    assert calls[0].at_s == pytest.approx(-0.5)


def test_what_was_never_patched_has_no_later_stage() -> None:
    recording = timing(clean(), *TIMED)
    early = [event for event in recording.events if getattr(event, "phase", None) != "load"]
    cut = [event for event in early if type(event).__name__ != "TransitionMarked"]
    trial = measure(type(recording)(**{**fields(recording), "events": cut}), Verdict.PASS, "")
    assert trial.calls == ()


def fields(recording: Recording) -> dict[str, object]:
    return {name: getattr(recording, name) for name in recording.__struct_fields__}


def test_the_cost_is_shown_for_each_model_and_stage(tmp_path: Path) -> None:
    one = measure(timing(stopping(), *TIMED), Verdict.PASS, "")
    other = measure(timing(under("hybrid"), *TIMED[:2], (3.0, "", 80)), Verdict.PASS, "")
    comparison = compare([one, other])
    (table,) = [t for t in tables(comparison) if t.title.startswith("What a call costs")]
    assert [row[:3] for row in table.rows] == [
        ("kpatch", "before", "2"),
        ("kpatch", "patching", "1"),
        ("kpatch", "patched", "2"),
        ("kpatch", "unpatching", "1"),
        ("kpatch", "after", "1"),
        ("hybrid", "before", "2"),
        ("hybrid", "patched", "1"),
    ]
    assert table.rows[2][3:] == (
        "62.0 ns (61.0 to 63.0)",
        "20.0 ns (20.0 to 20.0)",
        "42.0 ns",
        "3.1",
    )
    paths = write(Report(comparison=comparison), tmp_path)
    rows = list(csv.DictReader(paths["calls"].open()))
    assert len(rows) == len(one.calls) + len(other.calls)
    assert {row["model"] for row in rows} == {"kpatch", "hybrid"}
    assert b'"calls": []' in paths["json"].read_bytes()


def test_a_case_that_times_nothing_has_no_table() -> None:
    comparison = compare([measure(clean(), Verdict.PASS, "")])
    assert not any(t.title.startswith("What a call costs") for t in tables(comparison))


values = st.floats(min_value=0, max_value=1e9, allow_nan=False)


@given(st.lists(values, min_size=1))
def test_the_middle_lies_within_what_there_is(found: list[float]) -> None:
    it = middle(found)
    assert min(found) <= it.low <= it.median <= it.high <= max(found)


calls = st.builds(
    Call,
    at_s=st.just(0.0),
    stage=st.sampled_from([*STAGES, None]),
    ns=values,
    twin_ns=values,
)


@given(st.lists(calls))
def test_every_burst_of_a_stage_counts_once(found: list[Call]) -> None:
    told = costs(found)
    assert sum(cost.bursts for cost in told) == sum(call.stage is not None for call in found)
    assert [cost.stage for cost in told] == [s for s in STAGES if any(c.stage == s for c in found)]


def test_a_twin_that_takes_no_time_has_no_ratio() -> None:
    (cost,) = costs([Call(at_s=0, stage="patched", ns=4.0, twin_ns=0.0)])
    assert (cost.ratio, cost.more) == (None, 4.0)
