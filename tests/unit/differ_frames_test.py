"""KASAN's descriptions of stack frames, with and without the lines of their variables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpharness.engine.differ.frames import without_lines


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"1 32 24 7 pm:1656", b"1 32 24 pm"),
        (b"2 48 64 7 mas:888 144 168 7 mss:883", b"2 48 64 mas 144 168 mss"),
        (b"1 32 24 6 pm:999", b"1 32 24 pm"),
        (b"1 32 24 9 <unknown>", b"1 32 24 <unknown>"),
        (b"1 32 24 3 a b", b"1 32 24 a b"),
    ],
)
def test_a_description_loses_its_lines(text: bytes, told: bytes) -> None:
    assert without_lines(text) == told


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"1",
        b"2 32 24 7 pm:1656",
        b"1 32 24 8 pm:1656",
        b"1 32 24 6 pm:1656",
        b"line:12",
        b"7 of 9",
    ],
)
def test_any_other_string_stays_as_it_is(text: bytes) -> None:
    assert without_lines(text) == text


@given(
    st.lists(
        st.tuples(
            st.integers(0, 999),
            st.integers(1, 999),
            st.from_regex(rb"[a-z_]\w*", fullmatch=True),
            st.integers(1, 10**5),
            st.integers(1, 10**5),
        ),
        min_size=1,
    )
)
def test_only_lines_are_lost(variables: list[tuple[int, int, bytes, int, int]]) -> None:
    def told(which: int) -> bytes:
        parts = [b"%d" % len(variables)]
        for offset, size, name, *lines in variables:
            named = b"%s:%d" % (name, lines[which])
            parts.append(b"%d %d %d %s" % (offset, size, len(named), named))
        return b" ".join(parts)

    assert without_lines(told(0)) == without_lines(told(1))
    assert without_lines(told(0)).startswith(b"%d " % len(variables))
