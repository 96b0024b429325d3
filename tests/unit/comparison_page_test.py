"""The page and the pictures of a comparison: whole, harmless, and in need of nothing else."""

import math
from collections.abc import Sequence
from xml.etree import ElementTree

import msgspec
import pytest
from checks_samples import clean
from comparison_samples import counting, marking, stopping, under
from html_page import HtmlPage

from lpharness.comparison import Comparison, Measured, compare, measure
from lpharness.comparison.drawing import Picture
from lpharness.comparison.page import page
from lpharness.comparison.pictures import pictures
from lpharness.comparison.tables import tables
from lpharness.results.curves import Curve, curves_svg
from lpharness.results.model import Verdict

MIXED = ("threads 10 0 0 0\n", "threads 20 0 2 40\n", "threads 60 0 2 50\n")
HOSTILE = "<script>alert('x')</script>\u202e\"&"


def trials() -> list[Measured]:
    recordings = [stopping(), marking(), counting(clean(), *MIXED)]
    return [measure(each, Verdict.PASS, "") for each in recordings]


def drawn(of: Sequence[Measured]) -> list[Picture]:
    return pictures(compare(of))


def whole(comparison: Comparison) -> HtmlPage:
    text = page(comparison, tables(comparison), pictures(comparison))
    read = HtmlPage(text)
    assert read.open == []
    assert not any(tag in ("script", "link", "iframe", "object") for tag, _ in read.elements)
    attributes = [name for _, given in read.elements for name in given]
    assert not any(name.startswith("on") for name in attributes)
    named = [a.get("src", "") + a.get("href", "") for _, a in read.elements]
    assert not any(name for name in named if not name.startswith("#"))
    return read


def test_each_direction_has_its_pictures() -> None:
    names = [picture.name.partition("--")[0] for picture in drawn(trials())]
    assert names == [
        f"{what}-{direction}"
        for direction in ("patching", "unpatching")
        for what in ("moved", "gaps", "throughput")
    ]


def test_pictures_stand_alone() -> None:
    for picture in drawn(trials()):
        root = ElementTree.fromstring(picture.svg)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert root.findtext("{http://www.w3.org/2000/svg}title") == picture.title
        _, _, width, height = map(float, root.attrib["viewBox"].split())
        for element in root.iter():
            for name, most in (("cx", width), ("cy", height), ("x", width), ("y", height)):
                if name in element.attrib:
                    value = float(element.attrib[name])
                    assert math.isfinite(value)
                    assert -1 <= value <= most + 1, (picture.name, element.attrib)


def test_who_never_completed_is_in_no_picture() -> None:
    late = [measure(under("hybrid"), Verdict.ERROR, "the host was full")]
    assert drawn(late) == []
    assert whole(compare(late)).texts


def test_a_label_says_what_a_line_is_and_keeps_off_the_others() -> None:
    points = ((0.0, 0.0), (0.5, 1.0))
    svg = curves_svg("t", [Curve(model=m, label=m, points=points) for m in ("hybrid", "kpatch")])
    texts = ElementTree.fromstring(svg).findall("{http://www.w3.org/2000/svg}text")
    places = {text.text: float(text.attrib["y"]) for text in texts}
    assert abs(places["hybrid"] - places["kpatch"]) >= 15


def test_the_page_has_the_tables_and_says_that_promises_were_kept() -> None:
    read = whole(compare(trials()))
    text = " ".join(read.texts)
    for words in ("Transition time", "Where old and new code met", "Each promise was kept."):
        assert words in text
    assert sum(tag == "svg" for tag, _ in read.elements) == 6


def test_the_page_names_a_broken_promise() -> None:
    broken = counting(stopping(), *MIXED)
    text = " ".join(whole(compare([measure(broken, Verdict.PASS, "")])).texts)
    assert "Each promise was kept." not in text
    assert "2 in threads (ahead), and it promises none" in text


@pytest.mark.parametrize("field", ["case", "kernel", "workload", "model", "reason"])
def test_names_do_nothing(field: str) -> None:
    hostile = [
        msgspec.structs.replace(trial, verdict=Verdict.FAIL, **{field: HOSTILE})
        for trial in trials()
    ]
    for picture in drawn(hostile):
        ElementTree.fromstring(picture.svg)
        assert "\u202e" not in picture.svg
        assert not set(picture.name) & set("/<>'\"&")
    read = whole(compare(hostile))
    assert not any("\u202e" in text for text in read.texts)
