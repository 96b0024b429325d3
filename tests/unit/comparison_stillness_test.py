"""What heartbeats in the kernel saw, as figures, tables and pictures."""

from __future__ import annotations

import csv
import functools
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest
from checks_samples import BOOTED, MS, SECOND, clean, insert
from comparison_samples import PATCHING_NS, stopping
from hypothesis import given
from hypothesis import strategies as st

from lpharness.checks import Recording
from lpharness.comparison import Measured, compare, measure
from lpharness.comparison.files import write
from lpharness.comparison.measured import Beating, StandStill
from lpharness.comparison.page import page
from lpharness.comparison.pictures import pictures
from lpharness.comparison.report import Report
from lpharness.comparison.standing import EDGES_S, baseline_of, overlaps, standing
from lpharness.comparison.tables import tables
from lpharness.results.model import Verdict
from lpharness.timeline.events import BeatGap, BeatsBegan, BeatsRead


def beating(recording: Recording, *gaps: tuple[int, float, int], lost: int = 0) -> Recording:
    """Let it have heartbeats in the kernel that saw gaps: a CPU, when in the trial, how many ms."""
    recording = insert(
        recording, -0.3, BeatsBegan, period_ns=MS, kept_ns=3 * MS, cost_ns=20_000, chosen="measured"
    )
    for cpu in (0, 1):
        found = tuple(
            BeatGap(BOOTED + round(at * SECOND) + ms * MS, ms * MS, ms * MS // 2)
            for one, at, ms in gaps
            if one == cpu
        )
        recording = insert(recording, 7.89, BeatsRead, cpu=cpu, beats=900, gaps=found, lost=lost)
    return recording


SEEN = ((0, 0.5, 4), (1, 0.6, 12), (0, 1.2, 30), (1, 1.2, 31), (1, 4.5, 7), (0, 7.0, 200))
"""Two in the baseline, two while it is patched, one while it is unpatched, one after."""


def measured(recording: Recording) -> Measured:
    return measure(recording, Verdict.PASS, "")


def test_the_longest_gap_is_of_the_kernel_where_there_are_such_heartbeats() -> None:
    trial = measured(beating(clean(), *SEEN))
    assert trial.baseline_gap is not None
    assert trial.baseline_gap.whole_s == pytest.approx(0.012)
    patching, unpatching = trial.crossings
    assert patching.gap is not None
    assert unpatching.gap is not None
    assert patching.gap.whole_s == pytest.approx(0.031)
    assert unpatching.gap.whole_s == pytest.approx(0.007)
    assert trial.beating == Beating(
        cpus=2, period_s=0.001, kept_s=0.003, cost_s=20e-6, chosen="measured", lost=0
    )


def test_without_them_nothing_is_new() -> None:
    trial = measured(clean())
    assert (trial.beating, trial.stills) == (None, ())
    assert trial.baseline_gap is not None
    (row,) = compare([trial]).rows
    assert row.noise is None
    assert not any("heartbeats in the kernel:" in t.title for t in tables(compare([trial])))


def test_what_the_hearts_saw_of_a_stop_stands_beside_it() -> None:
    stop_ms = (PATCHING_NS - BOOTED) / SECOND + 0.1
    trial = measured(beating(stopping(), (1, stop_ms - 0.004, 9)))
    felt = [stop.felt_s for stop in trial.crossings[0].stops]
    assert felt[0] == pytest.approx(0.009)
    assert felt[1:] == [None, None]
    crossed = compare([trial]).rows[0].crossed[0]
    assert crossed.felt is not None
    assert crossed.felt.count == 1


def test_rates_are_of_each_second_of_a_cpu() -> None:
    trial = measured(beating(clean(), *SEEN, lost=3))
    (row,) = compare([trial]).rows
    noise, now = row.noise, row.crossed[0].standing
    assert noise is not None
    assert now is not None
    assert noise.cpu_s == pytest.approx(2.0)
    assert noise.still_s == pytest.approx(0.016)
    # 3 ms is the least that is kept.
    assert noise.over == (None, None, pytest.approx(0.5), 0.0, 0.0)
    assert now.deaf_s == pytest.approx(0.0155)
    assert now.cpu_s == pytest.approx(2 * 1.3)
    assert now.over[3] == pytest.approx(2 / 2.6)
    (table,) = [t for t in tables(compare([trial])) if "heartbeats in the kernel:" in t.title]
    assert len(table.rows) == 2
    assert table.columns[-3:] == ("over 5 ms", "over 20 ms", "over 100 ms")
    assert all(len(row) == len(table.columns) for row in table.rows)
    assert "A beat each 1 ms" in table.note
    assert "not read in time" in table.note


@functools.cache
def plain() -> Measured:
    return measured(clean())


windows = st.tuples(st.floats(-50, 50), st.floats(0, 50)).map(lambda w: (w[0], w[0] + w[1]))
stills = st.builds(
    StandStill,
    cpu=st.integers(0, 1),
    at_s=st.floats(-60, 60),
    seconds=st.floats(0, 5),
    deaf_s=st.just(0.0),
    own_s=st.just(0.0),
)


@given(st.lists(stills, max_size=20), windows)
def test_no_cpu_stands_still_for_longer_than_there_is(
    found: list[StandStill], window: tuple[float, float]
) -> None:
    beat = Beating(cpus=1, period_s=1e-5, kept_s=3e-5, cost_s=None, chosen="default", lost=0)
    trial = msgspec.structs.replace(plain(), beating=beat, stills=tuple(found))
    whole = standing([(trial, window)])
    assert whole is not None
    inside = [still for still in found if overlaps(still, window)]
    assert 0 <= whole.still_s <= sum(still.seconds for still in inside) + 1e-9
    rates = [rate for rate in whole.over if rate is not None]
    assert rates == sorted(rates, reverse=True)
    assert whole.longest_s == max((still.seconds for still in inside), default=0.0)
    assert len(whole.over) == len(EDGES_S)


@given(st.lists(stills, max_size=20), st.floats(0, 20), st.floats(0, 20))
def test_two_windows_beside_each_other_have_no_more_than_both(
    found: list[StandStill], first: float, second: float
) -> None:
    beat = Beating(cpus=2, period_s=1e-5, kept_s=3e-5, cost_s=None, chosen="default", lost=0)
    trial = msgspec.structs.replace(plain(), beating=beat, stills=tuple(found))
    parts = [(0.0, first), (first, first + second)]
    halves = [standing([(trial, part)]) for part in parts]
    whole = standing([(trial, (0.0, first + second))])
    assert whole is not None
    assert sum(half.still_s for half in halves if half) == pytest.approx(whole.still_s)


def test_the_baseline_ends_where_the_load_begins() -> None:
    assert baseline_of(measured(clean())) == (pytest.approx(-1.0), 0.0)


def test_there_is_a_picture_of_them_and_every_sample_is_in_a_file(tmp_path: Path) -> None:
    comparison = compare([measured(beating(clean(), *SEEN))])
    drawn = [picture for picture in pictures(comparison) if picture.name.startswith("stills-")]
    assert {picture.name.split("--")[0] for picture in drawn} == {
        "stills-patching",
        "stills-unpatching",
    }
    for picture in drawn:
        ElementTree.fromstring(picture.svg)
    paths = write(Report(comparison=comparison), tmp_path)
    rows = list(csv.DictReader(paths["stills"].open()))
    assert [row["direction"] for row in rows] == ["", "", "patching", "patching", "unpatching", ""]
    assert [float(row["seconds"]) for row in rows] == pytest.approx(
        [0.004, 0.012, 0.030, 0.031, 0.007, 0.2]
    )
    assert float(rows[0]["at_s"]) == pytest.approx(-0.5)
    # Thousands of them are no part of the document.
    assert b'"stills"' not in paths["json"].read_bytes().replace(b'"stills": []', b"")


def test_the_page_has_how_often_behind_how_long() -> None:
    comparison = compare([measured(beating(clean(), *SEEN))])
    text = page(comparison, tables(comparison), pictures(comparison))
    places = [text.index(words) for words in ("How long CPUs", "How often CPUs", "Throughput of")]
    assert places == sorted(places)
