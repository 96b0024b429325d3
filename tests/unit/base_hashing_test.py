"""What content and code are known by."""

from __future__ import annotations

from pathlib import Path

import pytest

from lpharness.base.hashing import code_identity


def test_code_has_an_identity_of_its_own() -> None:
    one, two = code_identity("lpharness.elf"), code_identity("lpharness.base")
    assert one != two
    assert code_identity("lpharness.elf") == one
    assert code_identity("lpharness.elf", "lpharness.base") not in (one, two)


def test_a_change_of_the_code_is_another_identity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "lph_made"
    package.mkdir()
    (package / "__init__.py").write_text("A = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    before = code_identity.__wrapped__("lph_made")
    (package / "__init__.py").write_text("A = 2\n")
    assert code_identity.__wrapped__("lph_made") != before
