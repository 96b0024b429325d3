"""Each folder here: two sources, compiled on demand, and what the differ must say of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from object_pairs import HERE, Expect, compile_pair, load, missing_patterns, program

from lpharness.engine.differ import DiffReport, diff_files

CASES = [
    pytest.param(folder, compiler, id=f"{folder.name}-{compiler}")
    for folder in sorted(path.parent for path in HERE.glob("*/expect.toml"))
    for compiler in load(folder).compilers
]


@pytest.mark.parametrize(("folder", "compiler"), CASES)
def test_object_pair(folder: Path, compiler: str, tmp_path: Path) -> None:
    if program(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    expect = load(folder)
    original, patched = compile_pair(folder, expect, compiler, tmp_path)
    assert missing_patterns(expect, original, patched) == []
    check(expect, diff_files(original, patched))


def check(expect: Expect, report: DiffReport) -> None:
    def names(*states: str) -> list[str]:
        return [f.name for f in report.functions if f.state in states]

    assert_same(expect.changed, names("changed"), "changed")
    assert_same(expect.new, names("new"), "new")
    assert_same(expect.gone, names("gone"), "gone")
    redirected = expect.changed if expect.redirected is None else expect.redirected
    assert_same(redirected, [f.name for f in report.functions if f.replaces], "redirected")
    assert_same(
        expect.line_numbers, [f.name for f in report.functions if f.line_numbers], "line numbers"
    )
    assert_same(expect.taken, [d.name for d in report.data if d.state == "taken"], "taken")
    assert_same(expect.new_data, [d.name for d in report.data if d.state == "new"], "new data")
    for name in expect.unchanged:
        assert any(re.fullmatch(name, other) for other in report.unchanged), name
    kept = {special.section: special.kept for special in report.special}
    assert {name: kept.get(name) for name in expect.kept} == expect.kept
    why = {f.name: f.why.kind for f in report.functions if f.why}
    assert {name: why.get(name) for name in expect.why} == expect.why
    refused = {refusal.kind: refusal.subject for refusal in report.refusals}
    assert refused.keys() == expect.refused.keys(), report.refusals
    for kind, subject in expect.refused.items():
        assert re.fullmatch(subject, refused[kind]), report.refusals
    for refusal in report.refusals:
        assert refusal.reason
        assert refusal.hint
    assert_same(expect.warnings, report.warnings, "warnings")
    if expect.callers:
        assert_same(expect.callers, report.refusals[0].callers, "callers")
    assert report.answer == expect.answer


def assert_same(wanted: Sequence[str], seen: Sequence[str], what: str) -> None:
    """Each pattern must match exactly one name, and no name may be left over."""
    left = list(seen)
    for pattern in wanted:
        match = next((name for name in left if re.fullmatch(pattern, name)), None)
        assert match is not None, f"{what}: no {pattern} in {left}"
        left.remove(match)
    assert left == [], f"{what}: not expected"


def test_there_is_an_object_pair_for_every_construct() -> None:
    assert len({case.values[0] for case in CASES}) >= 80
