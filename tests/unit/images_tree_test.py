"""Packages laid over each other as dpkg would lay them."""

import os

import pytest

from lpharness.images.packages import lay, merged_usr
from lpharness.images.tree import File, Folder, Symlink, Tree, from_folder


def test_a_file_in_bin_lands_in_usr_bin() -> None:
    tree = merged_usr()
    assert tree.add("bin/sh", File(b"shell", 0o755)) == "usr/bin/sh"
    assert tree.entries["bin"] == Symlink("usr/bin")
    assert tree.find("bin/sh") == File(b"shell", 0o755)


def test_a_package_s_own_bin_folder_does_not_replace_the_link() -> None:
    tree = merged_usr()
    tree.add("bin", Folder())
    assert tree.entries["bin"] == Symlink("usr/bin")


def test_absolute_links_stay_inside() -> None:
    tree = Tree()
    tree.add("lib", Symlink("/usr/lib"))
    tree.add("usr/lib/here", File(b""))
    assert tree.find("lib/here") == File(b"")


@pytest.mark.parametrize("path", ["../out", "a/../../out", "/", ""])
def test_no_path_climbs_out(path: str) -> None:
    with pytest.raises(ValueError, match="not a path inside"):
        Tree().add(path, File(b""))


def test_a_link_that_climbs_ends_at_the_root() -> None:
    tree = Tree()
    tree.add("up", Symlink("../../.."))
    assert tree.add("up/x", File(b"")) == "x"


@pytest.mark.parametrize("links", [{"a": "b", "b": "a"}, {"a": "a/b"}, {"a": "./a"}])
def test_links_in_a_circle_are_refused(links: dict[str, str]) -> None:
    tree = Tree()
    for name, target in links.items():
        tree.add(name, Symlink(target))
    with pytest.raises(ValueError, match="too many links"):
        tree.find("a")


def test_nothing_goes_below_a_file() -> None:
    tree = Tree()
    tree.add("a", File(b""))
    with pytest.raises(ValueError, match="a is no folder"):
        tree.add("a/b", File(b""))


def test_a_folder_is_not_replaced_by_a_file() -> None:
    tree = Tree()
    tree.add("a/b", File(b""))
    with pytest.raises(ValueError, match="a is a folder already"):
        tree.add("a", File(b""))


def test_further_names_of_a_file_become_links(tmp_path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/perl").write_bytes(b"perl")
    (tmp_path / "bin/perl").chmod(0o755)
    os.link(tmp_path / "bin/perl", tmp_path / "bin/perl5")
    tree = from_folder(tmp_path)
    assert tree.entries["bin/perl5"] == Symlink("perl")
    assert tree.entries["bin/perl"] == File(tmp_path / "bin/perl", 0o755)


def test_of_a_mode_only_executable_is_kept(tmp_path) -> None:
    (tmp_path / "a").write_bytes(b"")
    (tmp_path / "a").chmod(0o640)
    (tmp_path / "b").write_bytes(b"")
    (tmp_path / "b").chmod(0o4711)
    entries = from_folder(tmp_path).entries
    assert [e.mode for e in entries.values() if isinstance(e, File)] == [0o644, 0o755]


def test_drop_takes_what_lies_below_too(tmp_path) -> None:
    (tmp_path / "usr/share/doc/x").mkdir(parents=True)
    (tmp_path / "usr/share/doc/x/README").write_bytes(b"")
    (tmp_path / "usr/share/data").write_bytes(b"")
    tree = lay([tmp_path], keep=(), drop=("usr/share/doc",))
    assert [path for path in tree.entries if path.startswith("usr/share/")] == ["usr/share/data"]
