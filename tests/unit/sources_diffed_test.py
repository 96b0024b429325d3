"""Diffs on top of each other, in memory."""

from __future__ import annotations

import pytest

from lpharness.base.errors import InputError
from lpharness.sources.diffed import Diffed
from lpharness.sources.unified import unified_diff

TREE = {"fs/a.c": b"int a = 1;\n", "fs/b.c": b"int b = 1;\n"}


def test_a_second_diff_is_one_of_the_tree_after_the_first() -> None:
    base = Diffed(TREE.get).apply(unified_diff("fs/a.c", "int a = 1;\n", "int a = 2;\n"))
    after = Diffed(base.read).apply(unified_diff("fs/a.c", "int a = 2;\n", "int a = 3;\n"))
    assert base.contents == {"fs/a.c": b"int a = 2;\n"}
    assert after.contents == {"fs/a.c": b"int a = 3;\n"}
    assert after.read("fs/b.c") == b"int b = 1;\n"
    assert TREE["fs/a.c"] == b"int a = 1;\n"


def test_a_file_comes_and_goes() -> None:
    tree = Diffed(TREE.get).apply(unified_diff("fs/c.c", None, "int c;\n"))
    assert tree.read("fs/c.c") == b"int c;\n"
    tree.apply(unified_diff("fs/b.c", "int b = 1;\n", None))
    assert tree.read("fs/b.c") is None


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match=r"fs/a\.c"):
        Diffed(TREE.get).apply(unified_diff("fs/a.c", "int a = 7;\n", "int a = 8;\n"))
    with pytest.raises(InputError, match=r"no fs/z\.c"):
        Diffed(TREE.get).apply(unified_diff("fs/z.c", "int z;\n", "int y;\n"))
