"""Edits that find their place by what the code says."""

from __future__ import annotations

import pytest

from lpharness.base.errors import InputError
from lpharness.sources.apply import ChangeIsThere, DoesNotApply
from lpharness.sources.diff import parse_diff
from lpharness.sources.edit import Edit, edit_diff, edited

SOURCE = """\
static int first(struct folio *folio)
{
#ifdef CONFIG_X
	if (folio) {
#else
	if (folio && more(folio)) {
#endif
		/* if (IS_ERR(folio)) is what others do */
		if (IS_ERR(folio))
			return PTR_ERR(folio);
	}
	return 0;
}

int second(struct folio *folio)
{
	if (IS_ERR(folio) ||
	!ready(folio))	/* or not */
		return PTR_ERR(folio);
	if (IS_ERR(folio))
		say("IS_ERR( folio )");
	return 0;
}

SYSCALL_DEFINE1(third, int, x)
{
	return x+1;
}
"""


def edit(**fields: object) -> Edit:
    plain = {"file": "fs/x.c", "old": "IS_ERR(folio)", "new": "!folio", "function": "first"}
    return Edit(**(plain | fields))  # type: ignore[arg-type]


def test_one_place_in_one_function_changes() -> None:
    after = edited(SOURCE, edit())
    assert after == SOURCE.replace(
        "\t\tif (IS_ERR(folio))\n\t\t\treturn", "\t\tif (!folio)\n\t\t\treturn"
    )


def test_spacing_and_comments_are_of_no_account() -> None:
    old = "if (IS_ERR( folio )||!ready(folio)) // whatever\nreturn PTR_ERR (folio);"
    after = edited(SOURCE, edit(function="second", old=old, new="if (!folio)\n\treturn -ENOMEM;"))
    assert "\tif (!folio)\n\t\treturn -ENOMEM;\n\tif (IS_ERR(folio))\n\t\tsay" in after


def test_names_are_compared_whole() -> None:
    with pytest.raises(DoesNotApply, match=r"ERR\(folio\). is not there, wanted once"):
        edited(SOURCE, edit(old="ERR(folio)"))
    with pytest.raises(DoesNotApply, match="not there"):
        edited(SOURCE, edit(function="second", old="return0"))


def test_what_a_string_says_is_compared_as_it_is() -> None:
    with pytest.raises(DoesNotApply, match="not there"):
        edited(SOURCE, edit(function="second", old='say("IS_ERR(folio)")'))
    assert 'say("x")' in edited(
        SOURCE, edit(function="second", old='say ("IS_ERR( folio )")', new='say("x")')
    )


def test_the_number_of_places_must_be_as_said() -> None:
    with pytest.raises(DoesNotApply, match=r"fs/x\.c: second\(\): .* is there twice, wanted once"):
        edited(SOURCE, edit(function="second"))
    after = edited(SOURCE, edit(function="second", count=2))
    assert after.count("!folio") == 2
    with pytest.raises(DoesNotApply, match=r"fs/x\.c: .IS_ERR\(folio\). is there 3 times"):
        edited(SOURCE, edit(function=""))
    assert edited(SOURCE, edit(function="", count=3)).count("!folio") == 3


def test_a_system_call_goes_by_its_name_in_the_kernel() -> None:
    after = edited(SOURCE, edit(function="__x64_sys_third", old="x + 1", new="x + 2"))
    assert "return x + 2;" in after


def test_a_change_that_is_there_is_told_so() -> None:
    once = edited(SOURCE, edit())
    with pytest.raises(ChangeIsThere, match=r"fs/x\.c: first\(\): the change is in this kernel"):
        edited(once, edit())


def test_an_insertion_that_is_there_is_told_so() -> None:
    insertion = edit(old="return 0;", new="done();\nreturn 0;")
    once = edited(SOURCE, insertion)
    assert "\tdone();\n\treturn 0;\n" in once
    with pytest.raises(ChangeIsThere):
        edited(once, insertion)


def test_a_function_that_is_not_there_is_named() -> None:
    with pytest.raises(DoesNotApply, match=r"fs/x\.c defines no function fourth"):
        edited(SOURCE, edit(function="fourth"))


def test_edits_make_one_diff_and_see_each_other() -> None:
    files = {"fs/x.c": SOURCE.encode(), "mm/y.c": b"int y = 1;"}
    diff = edit_diff(
        files.get,
        [
            edit(),
            edit(file="mm/y.c", function="", old="1", new="2"),
            edit(old="if (!folio) return PTR_ERR(folio);", new="return !folio;"),
        ],
    )
    first, second = parse_diff(diff)
    assert (first.name, second.name) == ("b/fs/x.c", "b/mm/y.c")
    assert "\t\treturn !folio;\n" in first.hunks[0].new
    assert second.hunks[0].new == ("int y = 2;",)


@pytest.mark.parametrize("path", ["../x.c", "/etc/passwd", ""])
def test_paths_that_leave_the_tree_are_refused(path: str) -> None:
    with pytest.raises(InputError):
        edit_diff({}.get, [edit(file=path)])


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(DoesNotApply, match=r"no fs/x\.c"):
        edit_diff({}.get, [edit()])


def test_bytes_that_are_no_text_stay() -> None:
    diff = edit_diff(
        {"a.c": b"\xff\nint a;\n"}.get, [edit(file="a.c", function="", old="a", new="b")]
    )
    (file,) = parse_diff(diff)
    assert file.hunks[0].new[0].encode("utf-8", "surrogateescape") == b"\xff\n"
