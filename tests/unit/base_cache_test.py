"""The cache, used by several processes at once and left by processes that die."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lpharness.base.cache import Cache

LONG_S = 60
BUILDER = """
import signal, sys
from collections.abc import Callable
from pathlib import Path
from lpharness.base.cache import Cache
def build(folder):
    (folder / "half").write_text("half")
    print(folder, flush=True)
    signal.pause()
Cache(Path(sys.argv[1])).get("things", "one", build)
"""


def started(root: Path) -> tuple[subprocess.Popen[str], Path]:
    """Start a process that builds an entry for ever; return it and where it builds."""
    builder = subprocess.Popen(
        [sys.executable, "-c", BUILDER, str(root)], stdout=subprocess.PIPE, text=True
    )
    assert builder.stdout is not None
    return builder, Path(builder.stdout.readline().strip())


def test_what_a_killed_builder_left_is_swept_by_the_next(tmp_path: Path) -> None:
    builder, aside = started(tmp_path)
    builder.kill()
    builder.communicate(timeout=LONG_S)
    assert (aside / "half").exists()
    Cache(tmp_path).get("things", "two", lambda folder: (folder / "whole").touch())
    assert not aside.exists()


def test_what_a_living_builder_makes_is_not_swept_whatever_its_number(tmp_path: Path) -> None:
    """Two containers with one cache: the builder's process id means nothing to the other."""
    builder, aside = started(tmp_path)
    try:
        renamed = aside.with_name(aside.name.replace(str(builder.pid), "999999999"))
        aside.rename(renamed)
        cache = Cache(tmp_path)
        cache.get("things", "two", lambda folder: (folder / "whole").touch())
        assert (renamed / "half").exists()
        assert cache.leftovers("things") == []
    finally:
        builder.send_signal(signal.SIGKILL)
        builder.communicate(timeout=LONG_S)


def test_a_build_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def build(folder: Path) -> None:
        (folder / "half").touch()
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        Cache(tmp_path).get("things", "one", build)
    assert [path for path in (tmp_path / "things").iterdir() if path.is_dir()] == []


def test_an_entry_removed_is_gone_at_once(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    entry = cache.get("things", "one", lambda folder: (folder / "big").write_bytes(b"x" * 9000))
    assert cache.remove("things", "one") >= 9000
    assert not entry.exists()
    assert cache.find("things", "one") is None


def test_a_sealed_entry_that_was_damaged_is_made_anew(tmp_path: Path) -> None:
    cache, made = Cache(tmp_path), []

    def build(folder: Path) -> None:
        (folder / "a.ko").write_bytes(b"module")
        made.append(folder)

    def damaged(damage: Callable[[Path], object]) -> bool:
        entry = cache.get("modules", "k", build, sealed=True)
        before = len(made)
        damage(entry / "a.ko")
        again = cache.get("modules", "k", build, sealed=True)
        assert (again / "a.ko").read_bytes() == b"module"
        return len(made) > before

    assert damaged(lambda file: file.write_bytes(b"modulo"))
    assert damaged(lambda file: file.write_bytes(b"mod"))
    assert damaged(lambda file: file.unlink())
    assert damaged(lambda file: (file.parent / "b.ko").touch())
    assert damaged(lambda file: (file.parent / ".sha256").write_text("{"))
    assert not damaged(lambda file: file.touch())
    assert not damaged(lambda file: (file.parent / ".sha256").unlink()), "made by an older version"


def test_what_is_not_sealed_is_believed(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    entry = cache.get("unpacked", "k", lambda folder: (folder / "x").touch())
    (entry / "x").write_text("more")
    assert cache.find("unpacked", "k", sealed=True) == entry
