"""Every pattern is held to a line as a real kernel prints it, and to what its own regex allows."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lpharness.console import classify_text
from lpharness.console.patterns import Patterns, bundled_patterns

PATTERNS = bundled_patterns().all
by_name = pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.name)


def test_names_are_unique() -> None:
    names = [pattern.name for pattern in PATTERNS]
    assert len(names) == len(set(names))


@by_name
def test_example_is_classified_as_itself(pattern) -> None:
    found = classify_text(f"[    1.234567] {pattern.example}\r\n")
    assert [(f.name, f.severity, f.line, f.text) for f in found] == [
        (pattern.name, pattern.severity.value, 1, pattern.example)
    ]
    assert found[0].stamp == 1.234567


@by_name
def test_example_is_found_without_a_stamp_and_with_a_caller(pattern) -> None:
    assert [f.name for f in classify_text(pattern.example)] == [pattern.name]
    assert [f.name for f in classify_text(f"[  1.234567][  T81] {pattern.example}\n")] == [
        pattern.name
    ]


@by_name
def test_parts_name_classes_that_open_reports(pattern) -> None:
    reports = {other.name for other in PATTERNS if other.report}
    assert pattern.part_of - {"*"} <= reports


@by_name
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_literals_never_hide_a_line_that_the_regex_matches(pattern, data) -> None:
    """The cheap search must let through whatever the regex would take."""
    alphabet = st.characters(min_codepoint=32, max_codepoint=126)
    text = data.draw(st.from_regex(pattern.regex, alphabet=alphabet)).rstrip()
    if not re.match(pattern.regex, text) or "] " in text[:60]:
        return
    block = f"noise\n[    1.234567] {text}\nnoise\n".encode()
    assert bundled_patterns().promising(block) == [6]


def test_a_key_that_no_pattern_has_is_refused() -> None:
    data = {"skip_frames": [], "pattern": [{"name": "x", "colour": "red"}]}
    with pytest.raises(ValueError, match="colour"):
        Patterns(data)
