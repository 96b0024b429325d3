import re
import unicodedata
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpharness.results.text import block, one_line, rate, seconds, visible

ANYTHING = st.text(st.characters())  # surrogates too


@given(ANYTHING)
def test_nothing_visible_acts(text: str) -> None:
    shown = visible(text)
    for character in shown:
        assert character in "\t\n" or unicodedata.category(character) not in ("Cc", "Cs")
        assert unicodedata.bidirectional(character) not in ("LRE", "RLE", "LRO", "RLO", "PDF")
    ET.fromstring(f"<a>{shown.replace('&', '').replace('<', '')}</a>")


@given(ANYTHING)
def test_making_visible_twice_changes_nothing(text: str) -> None:
    assert visible(visible(text)) == visible(text)


@given(ANYTHING, st.integers(1, 50))
def test_one_line_is_one_short_line(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert "\n" not in line
    assert "\r" not in line
    assert len(re.sub(r"… \([\d,]+ more characters\)$", "", line)) <= limit


@given(ANYTHING)
def test_a_block_is_bounded(text: str) -> None:
    assert len(block(text, limit=100, lines=5)) < 200
    assert block(text, limit=100, lines=5).count("\n") <= 5


def test_plain_text_stays_as_it_is() -> None:
    assert visible("naïve 数\tx\n") == "naïve 数\tx\n"
    assert visible("\x1b[31m") == "⟨U+001B⟩[31m"
    assert one_line("a\nb") == "a ↵ b"
    assert block("a\nb\nc\nd", lines=2) == "a\nb\n… 2 more lines"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),  # noqa: RUF001
        (0, "0 s"),
        (0.0000421, "42 µs"),
        (0.0214, "21 ms"),
        (0.9996, "1.00 s"),
        (1.284, "1.28 s"),
        (99.996, "100 s"),
        (1234.5, "1234 s"),
    ],
)
def test_durations_read_well(value: float | None, shown: str) -> None:
    assert seconds(value) == shown


def test_rates_read_well() -> None:
    assert [rate(value) for value in (None, 0, 0.25, 17_881.4)] == [
        "–",  # noqa: RUF001
        "0/s",
        "0.25/s",
        "17,881/s",
    ]
