"""What is told of C text without a compiler."""

from __future__ import annotations

import pytest

from lpharness.sources.ctext import (
    changed_layouts,
    code_of,
    definition_line,
    without_comments,
)

STRUCT = "struct foo {\n\tint a;\t/* first */\n\tunion {\n\t\tint b;\n\t\tlong c;\n\t};\n};\n"


def test_comments_and_spacing_are_no_code() -> None:
    assert code_of("int a; // x\n\n/* y\n */ int  b;\n") == code_of("int a;\nint b;")


def test_what_looks_like_a_comment_in_a_string_is_code() -> None:
    assert code_of('f("/* x */");') != code_of('f("");')
    assert code_of("f('\"'); /* x */") == code_of("f('\"');")


def test_lines_stay_where_they_are() -> None:
    assert without_comments("a /* 1\n2\n3 */ b\n").count("\n") == 3


def test_a_changed_member_is_a_changed_layout_with_its_line() -> None:
    (found,) = changed_layouts(STRUCT, "\n" + STRUCT.replace("int b", "short b"))
    assert (found.name, found.line) == ("struct foo", 2)


def test_comments_in_a_struct_change_no_layout() -> None:
    assert not changed_layouts(STRUCT, STRUCT.replace("/* first */", "// the first"))


def test_a_new_struct_changes_no_layout() -> None:
    assert not changed_layouts(STRUCT, STRUCT + STRUCT.replace("foo", "bar"))


def test_a_typedef_and_attributes_do_not_hide_a_struct() -> None:
    old = "typedef struct {\n\tint a;\n} foo_t;\nstruct __packed bar { int a; };"
    new = old.replace("int a", "long a")
    assert [found.name for found in changed_layouts(old, new)] == ["struct foo_t", "struct bar"]


def test_two_definitions_of_one_name_are_both_known() -> None:
    two = f"#ifdef A\n{STRUCT}#else\n{STRUCT.replace('int', 'long')}#endif\n"
    assert not changed_layouts(two, two + "int x;\n")
    assert changed_layouts(two, two.replace("long a", "char a"))


def test_code_that_uses_a_struct_is_no_definition() -> None:
    code = "struct foo x = { .a = 1 };\nint f(struct foo *p) { return p->a; }\n"
    assert not changed_layouts(code, code.replace("1", "2"))


SOURCE = """\
/* foo() is here */
static int foo(int a);
static int state, other = 3;
struct ops table = {
\t.f = foo,
};

static __always_inline int
foo(int a)
{
\treturn bar(a);
}

int __init bar(int a) {
\tint state = foo(a); return state;
}
SYSCALL_DEFINE1(baz, int, a)
{
}
"""


@pytest.mark.parametrize(
    ("symbol", "line"),
    [
        ("foo", 9), ("foo.isra.0", 9), ("bar", 14), ("state", 3), ("other", 3), ("table", 4),
        ("__x64_sys_baz", 17), ("__do_sys_baz", 17), ("qux", None), ("__se_sys_qux", None),
    ],
)  # fmt: skip
def test_definitions_are_found_where_they_are(symbol: str, line: int | None) -> None:
    assert definition_line(SOURCE, symbol) == line
