"""The memory of a guest that died of its patch is kept, with the patch still in it."""

from __future__ import annotations

from pathlib import Path

from faulty_cases import try_case
from guest_support import KERNEL

from lpharness.results.folder import TrialFolder
from lpharness.results.model import Verdict
from lpharness.timeline.events import Note, Phase, PhaseBegan

OOPS = Path(__file__).parents[1] / "faults/crash/oops"
"""Whose kernel lives on: the trial goes to its end."""


def test_the_memory_is_kept_before_the_patch_is_taken_off(tmp_path: Path) -> None:
    """Which needs no debug information, other than reading it: tests/vm/vmcore_test.py."""
    trial, place = try_case(str(OOPS), KERNEL, tmp_path / "results", keep=True)
    assert trial.verdict is Verdict.FAIL
    assert trial.reason.startswith("healthy: ")
    folder = TrialFolder(place)
    notes = [event for event in folder.events() if isinstance(event, Note)]
    (kept,) = (note for note in notes if "memory is kept in vmcore" in note.text)
    assert kept.text.endswith("BUG: kernel NULL pointer dereference, address: 0000000000000000")
    begun = {
        event.phase: event.host_ns for event in folder.events() if isinstance(event, PhaseBegan)
    }
    assert begun[Phase.STEADY] < kept.host_ns < begun[Phase.UNLOAD]
    with folder.vmcore_path.open("rb") as core:
        assert core.read(4) == b"\x7fELF"
    assert folder.vmcore_path.stat().st_size > 512 << 20
    assert [path.name for path in folder.modules_path.iterdir()] == ["lph_oops.ko"]
