"""Diffs read as untrusted text, and applied exactly."""

from __future__ import annotations

import difflib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpharness.base.errors import InputError
from lpharness.sources.apply import DoesNotApply, apply_file, split_lines
from lpharness.sources.diff import parse_diff, tree_path

OLD = "one\ntwo\nthree\nfour\nfive\nsix\nseven\n"
NEW = "one\ntwo\nthree\nFOUR\nfive\nsix\nseven\n"
DIFF = """\
--- a/fs/x.c\t2026-01-01 00:00:00
+++ b/fs/x.c\t2026-01-02 00:00:00
@@ -1,7 +1,7 @@
 one
 two
 three
-four
+FOUR
 five
 six
 seven
"""
MAIL = f"""\
From 0123456789 Mon Sep 17 00:00:00 2001
From: A <a@example.org>
Subject: [PATCH 1/2] fs: x

Some words.
--- not a file, but a quotation
---
 fs/x.c | 2 +-
 1 file changed

diff --git a/fs/x.c b/fs/x.c
index 0123..4567 100644
{DIFF}--\x20
2.39.0

From 0123456789 Mon Sep 17 00:00:00 2001
Subject: [PATCH 2/2] fs: y

diff --git a/fs/y.h b/fs/z.h
similarity index 100%
rename from fs/y.h
rename to fs/z.h
diff --git a/fs/new.h b/fs/new.h
new file mode 100644
index 000..111
--- /dev/null
+++ b/fs/new.h
@@ -0,0 +1 @@
+int a;
diff --git a/fs/mode.sh b/fs/mode.sh
old mode 100644
new mode 100755
diff --git a/fs/gone.c b/fs/gone.c
deleted file mode 100644
--- a/fs/gone.c
+++ /dev/null
@@ -1 +0,0 @@
-int a;
\\ No newline at end of file
"""


def unified(old: str, new: str) -> str:
    lines = difflib.unified_diff(split_lines(old), split_lines(new), "a/f", "b/f")
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )


def applied(diff: str, old: str) -> str:
    return apply_file(parse_diff(diff)[0], old.encode(), "f").content.decode()


def test_a_plain_diff_names_its_file_without_the_date() -> None:
    (file,) = parse_diff(DIFF)
    assert (file.old, file.new, file.git) == ("a/fs/x.c", "b/fs/x.c", True)
    assert applied(DIFF, OLD) == NEW


def test_mails_with_several_files() -> None:
    files = parse_diff(MAIL)
    assert [(file.old, file.new) for file in files] == [
        ("a/fs/x.c", "b/fs/x.c"),
        ("a/fs/y.h", "b/fs/z.h"),
        (None, "b/fs/new.h"),
        ("a/fs/gone.c", None),
    ]
    assert files[3].hunks[0].old == ("int a;",)


def test_the_diff_may_have_no_prefix_for_its_folders() -> None:
    (file,) = parse_diff(DIFF.replace("a/fs", "fs").replace("b/fs", "fs"))
    assert (file.old, file.git) == ("fs/x.c", False)


def test_carriage_returns_of_a_mail_program_are_dropped() -> None:
    assert applied(DIFF.replace("\n", "\r\n"), OLD) == NEW


def test_carriage_returns_of_the_file_stay() -> None:
    old, new = OLD.replace("\n", "\r\n"), NEW.replace("\n", "\r\n")
    assert applied(unified(old, new), old) == new


def test_context_that_lost_its_one_space_is_context() -> None:
    assert applied("--- a/f\n+++ b/f\n@@ -1,3 +1,3 @@\n a\n\n-b\n+c\n", "a\n\nb\n") == "a\n\nc\n"


def test_a_moved_hunk_applies_and_says_by_how_much() -> None:
    result = apply_file(parse_diff(DIFF)[0], ("zero\n" * 3 + OLD).encode(), "f")
    assert (result.content.decode(), result.offsets) == ("zero\n" * 3 + NEW, (3,))


def test_a_hunk_that_could_be_in_two_places_is_refused_with_both() -> None:
    with pytest.raises(DoesNotApply, match="lines 2, 9"):
        apply_file(parse_diff(DIFF)[0], ("zero\n" + OLD + OLD).encode(), "f")


def test_a_change_that_is_there_already_is_told() -> None:
    with pytest.raises(DoesNotApply, match="already"):
        apply_file(parse_diff(DIFF)[0], NEW.encode(), "f")


def test_a_hunk_that_fits_nowhere_says_what_is_missing() -> None:
    with pytest.raises(DoesNotApply, match="no line 'four'"):
        apply_file(parse_diff(DIFF)[0], OLD.replace("four", "vier").encode(), "f")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no diff"),
        ("hello\n", "no diff"),
        ("diff --cc fs/x.c\nindex 1,2..3\n@@@ -1,1 -1,1 +1,1 @@@\n", "merge"),
        ("diff --git a/x b/x\nGIT binary patch\nliteral 1\n", "binary"),
        (DIFF[:-20], "cut short|other lines"),
        (DIFF.replace(" five\n", "five\n"), "not a line of a hunk"),
        ("@@ -1 +1 @@\n-a\n+b\n", "without the names"),
        (DIFF.replace("-1,7", "-1,6"), "other lines|not a line"),
    ],
)
def test_what_is_no_whole_diff_is_refused(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        parse_diff(text)


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "fs/../../x", "", ".", "a\x00b", "a\nb"])
def test_paths_out_of_the_tree_are_refused(name: str) -> None:
    with pytest.raises(InputError):
        tree_path(name)


def test_gits_quoted_names_are_read() -> None:
    text = '--- "a/fs/\\303\\244.c"\n+++ "b/fs/\\303\\244.c"\n@@ -1 +1 @@\n-a\n+b\n'
    assert parse_diff(text)[0].new == "b/fs/ä.c"


TEXTS = st.lists(st.sampled_from(["a", "b", "c", "{", "}", "", "-- x", "\f", "\x85", "+"])).map(
    "\n".join
)


@given(TEXTS, TEXTS)
def test_what_diff_writes_applies_to_what_it_was_made_of(old: str, new: str) -> None:
    diff = unified(old, new)
    if diff:
        assert applied(diff, old) == new


@given(st.text(alphabet="@-+ 1,\n\\ab/\r", max_size=300))
def test_no_text_is_beyond_the_parser(text: str) -> None:
    try:
        files = parse_diff(DIFF[:40] + text)
    except InputError:
        return
    assert files


def test_a_diff_of_modes_alone() -> None:
    text = "diff --git a/x.c b/x.c\nold mode 100644\nnew mode 100755\n"
    with pytest.raises(InputError, match="changes only the modes of files"):
        parse_diff(text)


@pytest.mark.parametrize("name", ["fs/" + "x" * 300 + ".c", "fs/" * 500 + "x.c"])
def test_a_name_that_no_file_system_has(name: str) -> None:
    with pytest.raises(InputError, match="is no path in the kernel tree"):
        tree_path(name)
