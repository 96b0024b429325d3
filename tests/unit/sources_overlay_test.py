"""Overlays look like the trees below, and never touch them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lpharness.base.errors import HostError
from lpharness.sources.overlay import Overlay


@pytest.fixture
def layers(tmp_path: Path) -> tuple[Path, Path]:
    upper, lower = tmp_path / "upper", tmp_path / "lower"
    for name, text in {
        "upper/.config": "X=y", "upper/include/generated/auto.h": "gen",
        "upper/both": "upper", "lower/both": "lower", "lower/include/linux/fs.h": "fs",
        "lower/include/linux/mm.h": "mm", "lower/fs/ext4/super.c": "super",
        "lower/fs/ext4/ext4.h": "ext4", "lower/fs/open.c": "open",
    }.items():  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return upper, lower


def contents(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(folder.glob("**/*")):
        if path.is_file():
            found[str(path.relative_to(folder))] = path.read_text()
    return found


def test_both_layers_are_there_and_the_first_wins(
    tmp_path: Path, layers: tuple[Path, Path]
) -> None:
    root = Overlay(tmp_path / "tree", layers).folder
    assert (root / "both").read_text() == "upper"
    assert (root / "include/generated/auto.h").read_text() == "gen"
    assert (root / "include/linux/fs.h").read_text() == "fs"
    assert (root / "fs").is_symlink()


def test_writing_changes_the_overlay_only(tmp_path: Path, layers: tuple[Path, Path]) -> None:
    before = [contents(layer) for layer in layers]
    overlay = Overlay(tmp_path / "tree", layers)
    overlay.write("fs/ext4/super.c", b"patched")
    overlay.write("include/linux/new.h", b"new")
    overlay.remove("include/linux/mm.h")
    overlay.write("made/up/here.c", b"x")
    root = overlay.folder
    assert (root / "fs/ext4/super.c").read_text() == "patched"
    assert (root / "fs/ext4/ext4.h").read_text() == "ext4"
    assert (root / "fs/open.c").read_text() == "open"
    assert (root / "include/linux/fs.h").read_text() == "fs"
    assert not (root / "include/linux/mm.h").exists()
    assert (root / "made/up/here.c").exists()
    assert [contents(layer) for layer in layers] == before


def test_an_opened_folder_takes_new_files(tmp_path: Path, layers: tuple[Path, Path]) -> None:
    overlay = Overlay(tmp_path / "tree", layers)
    overlay.open("fs/ext4")
    overlay.open("fs/ext4")
    (overlay.folder / "fs/ext4/super.o").write_text("object")
    assert not (layers[1] / "fs/ext4/super.o").exists()


def test_nothing_is_written_outside(tmp_path: Path, layers: tuple[Path, Path]) -> None:
    overlay = Overlay(tmp_path / "tree", layers)
    for name in ("../x", "/tmp/x", "fs/../../x"):
        with pytest.raises(HostError):
            overlay.write(name, b"")
