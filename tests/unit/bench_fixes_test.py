"""The benchmark of shipped fixes: what is drawn, what is missed, what is counted."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpharness.base.errors import InputError
from lpharness.bench.fixes.model import Fix, Outcome, Settings
from lpharness.bench.fixes.needs import missed_names, providers
from lpharness.bench.fixes.run import FREE, read_found
from lpharness.bench.fixes.sample import below, changed_files, draw
from lpharness.bench.fixes.table import account, accounts, markdown
from lpharness.bench.settings import require_same

SETTINGS = Settings(old="1-1", new="1-2", kernel="debian:k", sample=2, seed=1, whole=("mm",))


def tree(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def fix(path: str, outcome: Outcome, *others: str, kind: str = "", **more: object) -> Fix:
    return Fix(path=path, files=(path, *others), outcome=outcome, kind=kind, **more)  # type: ignore[arg-type]


def test_changed_and_new_files_are_found_and_others_are_not(tmp_path: Path) -> None:
    old = tree(tmp_path / "old", {"a.c": "1", "b.c": "1", "c.h": "1"})
    new = tree(tmp_path / "new", {"a.c": "2", "b.c": "1", "c.h": "2", "mm/d.c": "1"})
    assert changed_files(old, new) == ["a.c", "mm/d.c"]
    assert changed_files(old, new, (".h",)) == ["c.h"]


@given(st.sets(st.text("abc/", min_size=1), max_size=30), st.integers(0, 40), st.integers())
def test_a_seed_draws_the_same_whatever_the_order(names: set[str], size: int, seed: int) -> None:
    drawn = draw(sorted(names), sample=size, seed=seed)
    assert drawn == draw(sorted(names, reverse=True), sample=size, seed=seed)
    assert len(drawn) == min(size, len(names))
    assert set(drawn) <= names


def test_a_folder_is_no_prefix_of_another() -> None:
    assert below(["mm/a.c", "mmc/b.c", "net/core/c.c"], ["mm", "net/core/"]) == [
        "mm/a.c",
        "net/core/c.c",
    ]


GCC = """fs/a.c:1: implicit declaration of function 'helper_new' [-Werror=implicit]
fs/a.c:9: error: 'struct s' has no member named 'grown'; did you mean 'gone'?
fs/a.c:9: error: 'FLAG_NEW' undeclared (first use in this function)
fs/a.c:10: error: too many arguments to function 'shared'
"""


def test_the_compilers_words_name_what_is_missed() -> None:
    assert missed_names(GCC) == {"helper_new", "grown", "FLAG_NEW", "shared"}
    assert missed_names("the patch needs lost_one, which 6.1 does not have in vmlinux") == {
        "lost_one"
    }


def test_a_header_that_brings_it_comes_before_a_source(tmp_path: Path) -> None:
    old = tree(tmp_path / "old", {"fs/a.h": "", "include/b.h": "", "fs/c.c": "", "fs/a.c": ""})
    new = tree(
        tmp_path / "new",
        {
            "fs/a.h": "int helper_new(void);\n",
            "include/b.h": "int other;\n",
            "fs/c.c": "int helper_new(void) { return 1; }\n",
            "fs/a.c": "helper_new();\n",
            "fs/fresh.h": "",
        },
    )
    assert providers(GCC, old, new, ["fs/a.c"]) == ("fs/a.h",)
    assert providers(GCC, old, new, ["fs/a.c", "fs/a.h"]) == ("fs/c.c",)
    assert providers(GCC, old, new, ["fs/a.c", "fs/a.h", "fs/c.c"]) == ()
    fatal = "fs/a.c:3:10: fatal error: fresh.h: No such file or directory"
    assert providers(fatal, old, new, ["fs/a.c"]) == ("fs/fresh.h",)


def test_what_needs_others_or_changes_nothing_is_not_asked() -> None:
    fixes = [
        fix("mm/a.c", Outcome.CLEAN, sha256="1", build_s=2.0, transition_s=1.0, functions=3),
        fix("mm/b.c", Outcome.REFUSED, kind="layout"),
        fix("mm/c.c", Outcome.NEEDS_OTHERS),
        fix("mm/d.c", Outcome.NO_CODE),
    ]
    found = account("mm", fixes)
    assert (found.fixes, found.asked, found.share) == (4, 2, 0.5)
    assert found.apart == {"needs-others": 1, "no-code": 1}
    assert found.refusals == {"layout": 1}
    assert account("none", []).share is None


def test_a_fix_tried_with_others_counts_apart_by_itself() -> None:
    fixes = [fix("mm/a.c", Outcome.CLEAN, "mm/a.h"), fix("net/b.c", Outcome.CLEAN)]
    by_name = {one.name: one for one in accounts(SETTINGS, fixes, ["net/b.c"])}
    assert by_name["sample"].asked == 1
    assert (by_name["mm"].fixes, by_name["mm"].asked) == (1, 0)
    assert (by_name["all"].fixes, by_name["all"].asked) == (2, 1)
    assert by_name["with what they need"].outcomes == {"clean": 1}


def test_the_page_names_each_that_is_not_clean() -> None:
    fixes = [
        fix("mm/a.c", Outcome.HARMED, reason="healthy: an oops"),
        fix("mm/b.c", Outcome.REFUSED, kind="layout", reason="struct x"),
    ]
    page = markdown(SETTINGS, fixes, ["mm/a.c"])
    assert "## Harmed\n\n- `mm/a.c`: healthy: an oops" in page
    assert "- `mm/b.c`: layout: struct x" in page
    rows = [line for line in page.splitlines() if line.startswith("| `mm/")]
    assert [row.split(" | ")[:3] for row in rows] == [
        ["| `mm/a.c`", "harmed", ""],
        ["| `mm/b.c`", "refused", "layout"],
    ]


def test_what_a_kill_cut_short_is_passed_over(tmp_path: Path) -> None:
    import msgspec

    file = tmp_path / "fixes.jsonl"
    whole = msgspec.json.encode(fix("mm/a.c", Outcome.CLEAN))
    file.write_bytes(whole + b"\n" + whole[: len(whole) // 2])
    assert [one.path for one in read_found(file)] == ["mm/a.c"]
    assert list(read_found(tmp_path / "none")) == []


def test_other_settings_need_another_folder(tmp_path: Path) -> None:
    import msgspec

    asked = tmp_path / "asked.json"
    require_same(SETTINGS, asked, FREE)
    require_same(msgspec.structs.replace(SETTINGS, jobs=7, together=True), asked, FREE)
    with pytest.raises(InputError, match="other settings"):
        require_same(msgspec.structs.replace(SETTINGS, seed=2), asked, FREE)
