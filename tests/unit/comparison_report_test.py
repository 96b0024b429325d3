"""A comparison's whole report: the simulated beside the measured, costs by tasks, and files."""

import simulation_support  # noqa: F401  (interprets)

# isort: split
import csv
import json
import math
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import hypothesis.strategies as st
import msgspec
import pytest
from checks_samples import clean
from comparison_samples import given_up, marking, stopping, under
from html_page import HtmlPage
from hypothesis import given, settings

from lpharness.comparison import Measured, compare, measure
from lpharness.comparison.courses import courses, steps
from lpharness.comparison.crowds import is_crowd, measured_points
from lpharness.comparison.drawing import Picture
from lpharness.comparison.files import write
from lpharness.comparison.held import crowds
from lpharness.comparison.held.hold import Held, hold
from lpharness.comparison.held.trial import Name, Trial
from lpharness.comparison.report import Report
from lpharness.results.model import Verdict
from lpharness.results.pdf import pdf_of, why_not

STALL = Path(__file__).parent.parent / "recordings" / "trials" / "stall"
HOSTILE = "<script>alert('x')</script>\u202e\"&"
CURVE = st.lists(st.floats(0, 100), max_size=12).map(
    lambda ats: [(0.0, 0.0), *((at, (n + 1) / len(ats)) for n, at in enumerate(sorted(ats)))]
)


def crowd(count: int, **other: str) -> list[Measured]:
    """Return trials of three models in a crowd; their stops are as long as it is large."""
    made = [measure(each, Verdict.PASS, "") for each in (stopping(), marking(), under("hybrid"))]
    return [
        msgspec.structs.replace(
            trial,
            workload=f"crowd-{count}",
            tasks=count + 60,
            crossings=tuple(
                msgspec.structs.replace(
                    crossing,
                    stops=tuple(
                        msgspec.structs.replace(stop, seconds=count / 1e5)
                        for stop in crossing.stops
                    ),
                )
                for crossing in trial.crossings
            ),
            **other,
        )
        for trial in made
    ]


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


@settings(deadline=None, max_examples=50)
@given(measured=st.lists(CURVE, max_size=4), simulated=st.lists(CURVE, max_size=4))
def test_a_course_rises_from_least_to_most(measured, simulated) -> None:
    found = courses(measured, simulated)
    moved = [at for curve in (*measured, *simulated) for at, share in curve if share]
    assert (found is None) == (not measured or not simulated or not moved)
    for band in (found.measured, found.simulated) if found else ():
        for shares in (band.least, band.mean, band.most):
            assert list(shares) == sorted(shares)
            assert all(0 <= share <= 1 + 1e-9 for share in shares)
        below = zip(band.least, band.mean, band.most, strict=True)
        assert all(a <= b + 1e-9 and b <= c + 1e-9 for a, b, c in below)
    if found:
        assert list(found.times) == sorted(found.times)
        assert found.times[0] <= max(min(moved), 1e-4)
        assert found.times[-1] > max(moved)


def test_steps_go_by_moves_or_by_the_switch() -> None:
    (marked, *_) = measure(marking(), Verdict.PASS, "").crossings
    (stopped, *_) = measure(stopping(), Verdict.PASS, "").crossings
    (in_vain, *_) = measure(given_up(), Verdict.PASS, "").crossings
    assert len(steps(marked)) == len(marked.moves) + 1
    assert steps(stopped)[1:] == ((stopped.switched_s, 1.0),)
    assert steps(in_vain) == ()


def test_costs_are_brought_together_by_number_of_tasks() -> None:
    points = measured_points([*crowd(10), *crowd(1000)])
    stops = {p.tasks: p.stopped.median for p in points if p.model == "kpatch" and p.stopped}
    assert stops == {70: 0.0001, 1060: 0.01}
    assert {(p.model, p.side, p.transitions) for p in points} == {
        (model, "measured", 1) for model in ("kpatch", "kgraft", "hybrid")
    }
    assert measured_points(crowd(10)) == []
    assert [is_crowd(name) for name in ("crowd", "crowd-7", "crowds", "idle")] == [
        True, True, False, False,
    ]  # fmt: skip


def trial(recording, workload: str) -> Trial:
    measured = msgspec.structs.replace(
        measure(recording, Verdict.PASS, ""), workload=workload, tasks=12
    )
    name = Name(measured.case, measured.kernel, workload, measured.model)
    return Trial(name, STALL, measured, recording)


@pytest.fixture(scope="module")
def held() -> Held:
    """Hold trials in two crowds; all are fitted to one recording."""
    made = [trial(clean(), "crowd-10"), trial(clean(), "crowd-11"), trial(given_up(), "idle")]
    with pytest.MonkeyPatch.context() as patch:  # interpreted, a large one takes minutes
        patch.setattr(crowds, "COUNTS", (5, 30, 100))
        return hold(made, 2)


def test_the_simulated_is_told_by_course_and_by_number_of_tasks(held: Held) -> None:
    rows = {(row.name.workload, row.name.model): row for row in held.rows}
    found = rows["crowd-10", "hybrid"].courses
    assert found is not None
    assert (found.measured.count, found.simulated.count) == (1, 2)
    gave_up = rows["idle", "kpatch"].courses
    assert gave_up is None or set(gave_up.measured.most) == {0.0}
    counts = [point.tasks for point in held.crowds]
    assert counts == sorted(counts)
    assert counts[-1] == 100
    assert 5 not in counts  # the smallest crowd has more
    assert {(p.side, p.model, p.transitions) for p in held.crowds} == {("simulated", "hybrid", 3)}


def whole(held: Held | None, **other: str) -> Report:
    return Report(comparison=compare([*crowd(10, **other), *crowd(1000, **other)]), held=held)


def of(report: Report, *stems: str) -> list[Picture]:
    return [each for each in report.pictures() if each.name.partition("--")[0] in stems]


def test_pictures_stand_alone_and_hold_their_marks(held: Held) -> None:
    drawn = of(whole(held), "held", "crowd-over", "crowd-stopped")
    assert {each.name.partition("--")[0] for each in drawn} == {
        "held", "crowd-over", "crowd-stopped",
    }  # fmt: skip
    for picture in drawn:
        root = ElementTree.fromstring(picture.svg)
        _, _, width, height = map(float, root.attrib["viewBox"].split())
        for element in root.iter():
            for name, most in (("cx", width), ("cy", height), ("x", width), ("y", height)):
                value = float(element.attrib.get(name, 0))
                assert math.isfinite(value)
                assert 0 <= value <= most


def test_names_do_nothing_there_either(held: Held) -> None:
    rows = tuple(
        msgspec.structs.replace(row, name=Name(*[HOSTILE] * 4), reasons=(HOSTILE,))
        for row in held.rows
    )
    hostile = whole(msgspec.structs.replace(held, rows=rows), case=HOSTILE, kernel=HOSTILE)
    for picture in hostile.pictures():
        ElementTree.fromstring(picture.svg)
        assert "\u202e" not in picture.svg
        assert not set(picture.name) & set("/<>'\"&")


def test_everything_is_written(held: Held, tmp_path: Path) -> None:
    report = whole(held)
    paths = write(report, tmp_path)
    document = json.loads(paths["json"].read_text())
    assert document["schema"] == 1
    assert len(document["held"]["rows"]) == len(held.rows)
    assert document["crowds"]
    page = HtmlPage(paths["html"].read_text())
    text = " ".join(page.texts)
    assert page.open == []
    for title in ("Simulated against measured", "Cost against the number of tasks"):
        assert title in text
        assert title in paths["markdown"].read_text()
    sides = {(row["model"], row["side"]) for row in read_csv(tmp_path / "held.csv")}
    assert {("hybrid", "measured"), ("hybrid", "simulated")} <= sides
    shares = [float(row["moved_mean"]) for row in read_csv(tmp_path / "courses.csv")]
    assert max(shares) == pytest.approx(1)
    assert {row["side"] for row in read_csv(tmp_path / "crowds.csv")} >= {"measured"}
    names = {path.stem for path in (tmp_path / "pictures").glob("*.svg")}
    assert names == {picture.name for picture in report.pictures()}
    if not why_not():
        assert {path.stem for path in (tmp_path / "pictures").glob("*.pdf")} == names


def test_without_simulation_there_is_nothing_of_it(tmp_path: Path) -> None:
    report = Report(comparison=compare([measure(stopping(), Verdict.PASS, "")]))
    paths = write(report, tmp_path)
    assert json.loads(paths["json"].read_text())["held"] is None
    assert "Simulated" not in paths["html"].read_text()
    assert not (tmp_path / "held.csv").exists()


@pytest.mark.skipif(bool(why_not()), reason=f"NOT RUN: {why_not()}")
def test_a_pdf_has_letters_and_brings_their_font(tmp_path: Path) -> None:
    if shutil.which("pdffonts") is None:
        pytest.skip("NOT RUN: no poppler-utils")
    path = tmp_path / "picture.pdf"
    (picture, *_) = of(whole(None), "crowd-over")
    path.write_bytes(pdf_of(picture.svg))

    def asked(*words: str) -> str:
        return subprocess.run([*words], capture_output=True, text=True, check=True).stdout

    text = asked("pdftotext", str(path), "-")
    for word in ("tasks of the machine", "kpatch", "kgraft", "hybrid", "1,000", "10 s"):
        assert word in text
    *_, font = asked("pdffonts", str(path)).splitlines()
    embedded, subset = font.split()[-5:-3]
    assert (embedded, subset) == ("yes", "yes")
    assert asked("pdfimages", "-list", str(path)).count("\n") <= 2


def test_without_the_library_a_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lpharness.results.pdf.find_spec", lambda _: None)
    assert "pip install 'lpharness[pdf]'" in why_not()
