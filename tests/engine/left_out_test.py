"""What a running kernel never looks at again can be left out of a patch, and is named then."""

from __future__ import annotations

from pathlib import Path

from object_pairs import HERE, compile_pair, load

from lpharness.engine.differ import Answer, extract, judge_files, report


def test_changed_start_up_code_is_left_out_when_that_is_allowed(tmp_path: Path) -> None:
    folder = HERE / "init-changed"
    original, patched = compile_pair(folder, load(folder), "gcc", tmp_path)
    judgement = judge_files(original, patched)
    judgement.allow(["data-changed"])  # no such thing can be allowed
    assert report(judgement, original, patched).answer is Answer.REFUSED
    judgement.allow(["init-code", "init-data"])
    found = report(judgement, original, patched)
    assert not found.refusals
    assert [warning for warning in found.warnings if "is left out: changed code" in warning]
    cut = extract(judgement).object
    assert not [section.name for section in cut.sections if ".init" in section.name]
