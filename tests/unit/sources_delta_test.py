"""Which changes of a file belong to a function."""

from __future__ import annotations

from lpharness.sources.delta import within

BEFORE = """\
#include <a.h>
int one(int a)
{
	return a;
}

int two(int a)
{
	a++;
	return a;
}
"""
AFTER = (
    BEFORE.replace("<a.h>", "<b.h>").replace("return a;", "return a + 1;").replace("\ta++;\n", "")
)


def test_only_what_changed_in_the_function_is_taken() -> None:
    text, touched = within(BEFORE, AFTER, ["one"])
    assert text == BEFORE.replace("{\n\treturn a;", "{\n\treturn a + 1;")
    assert touched == {"one"}


def test_a_removal_belongs_to_the_function_it_was_in() -> None:
    text, touched = within(BEFORE, AFTER, ["two", "three"])
    assert text == BEFORE.replace("\ta++;\n\treturn a;", "\treturn a + 1;")
    assert touched == {"two"}


def test_a_new_function_comes_along_when_it_is_named() -> None:
    new = "\nint three(void)\n{\n\treturn 3;\n}\n"
    assert within(BEFORE, BEFORE + new, ["three"]) == (BEFORE + new, {"three"})
    assert within(BEFORE, BEFORE + new, ["one"]) == (BEFORE, set())
