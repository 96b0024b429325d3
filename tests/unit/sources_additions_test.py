"""Which changes of a header only add what nothing else speaks of."""

from __future__ import annotations

from pathlib import Path

import pytest

from lpharness.sources.additions import added_names, mentioned
from lpharness.sources.tree import SourceTree

HEADER = """#ifndef A_H
#define A_H

/* something */
struct here {
	int member;
};

static inline int old(struct here *it)
{
	return it->member;
}

int declared(int x);
#endif
"""


def after(addition: str, place: str = "int declared(int x);\n") -> frozenset[str] | None:
    assert place in HEADER
    return added_names(HEADER, HEADER.replace(place, place + addition))


@pytest.mark.parametrize(
    ("addition", "names"),
    [
        ("int fresh(int x);\n", {"fresh"}),
        ("extern struct here *fresh(struct here *it,\n\t\t\t   int x);\n", {"fresh"}),
        ("static inline int fresh(int x)\n{\n\tif (x) {\n\t\treturn 1;\n\t}\n\treturn 2;\n}\n",
         {"fresh"}),
        ("#define FRESH 1\n#define FRESHER(x) \\\n\t((x) + 1)\n", {"FRESH", "FRESHER"}),
        ("#ifdef CONFIG_X\nint fresh(void);\n#else\nstatic inline int fresh(void) { return 0; }\n"
         "#endif\n", {"fresh"}),
        ("struct fresh;\n", {"fresh"}),
        ("struct fresh {\n\tint a, b;\n\tint (*call)(int);\n};\n", {"fresh"}),
        ("enum fresh {\n\tONE,\n\tTWO = 2,\n};\n", {"fresh", "ONE", "TWO"}),
        ("typedef int (*fresh_t)(int);\ntypedef unsigned long other_t;\n", {"fresh_t", "other_t"}),
        ("extern int fresh;\nextern const char *const freshes[];\n", {"fresh", "freshes"}),
        ("/* only words */\n", set()),
        # An attribute with arguments looks like a function; it is an old word, so nothing is lost.
        ("__printf(1, 2) void fresh(const char *text, ...);\n", {"__printf"}),
    ],
)  # fmt: skip
def test_what_is_only_added_is_told_by_name(addition: str, names: set[str]) -> None:
    assert after(addition) == names


@pytest.mark.parametrize(
    "addition",
    [
        "#include <linux/other.h>\n",
        "#undef old\n",
        "#pragma pack(1)\n",
        "#endif\nint fresh(void);\n#ifdef X\n",
        "#ifdef X\n",
        "static struct fresh { int a; } defined_here;\n",
        "DECLARE_SOMETHING\n",
        "int unfinished(\n",
    ],
)
def test_what_does_more_than_define_is_not_taken_for_an_addition(addition: str) -> None:
    assert after(addition) is None


@pytest.mark.parametrize(
    "place",
    ["\tint member;\n", "{\n\treturn it->member;\n", "static inline int old(struct here *it)\n"],
)
def test_within_a_definition_nothing_is_only_added(place: str) -> None:
    assert after("\tint more;\n", place) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [("int member", "long member"), ("int declared(int x);", ""), ("return it", "return -it")],
)
def test_what_changed_or_went_is_no_addition(old: str, new: str) -> None:
    assert added_names(HEADER, HEADER.replace(old, new)) is None
    assert added_names(HEADER, HEADER.replace(old, new) + "int fresh(void);\n") is None


def test_the_tree_is_searched_for_whole_words(tmp_path: Path) -> None:
    for name, text in {
        "a.h": "int fresh;",
        "mm/b.c": "fresh();",
        "mm/c.c": "freshest();",
        "d.S": "call fresh",
        "notes.txt": "fresh",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    tree = SourceTree(None, (tmp_path,), "key", own=True)  # type: ignore[arg-type]
    assert mentioned(tree, ["fresh"], ["a.h"]) == ["d.S", "mm/b.c"]
    assert mentioned(tree, ["fresher"], []) == []
