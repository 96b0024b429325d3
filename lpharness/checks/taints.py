"""The kernel's taint bits by name (``taint_flags`` in ``kernel/panic.c``)."""

from __future__ import annotations

from lpharness.checks.ledger import Ledger
from lpharness.checks.story import Story

_NAMES = {
    0: "P: proprietary module",
    1: "F: module was force loaded",
    2: "S: CPU out of specification",
    3: "R: module was force unloaded",
    4: "M: machine check",
    5: "B: bad page",
    6: "U: asked for by user space",
    7: "D: the kernel died (oops or BUG)",
    8: "A: ACPI table overridden",
    9: "W: warning",
    10: "C: staging driver",
    11: "I: firmware bug worked around",
    12: "O: module built out of tree",
    13: "E: unsigned module",
    14: "L: soft lockup",
    15: "K: live patched",
    16: "X: distribution's own",
    17: "T: built with randstruct",
    18: "N: in-kernel test",
    19: "J: fwctl",
}


def taint_names(bits: int) -> str:
    """Return the bits in words, ``none`` for 0."""
    set_bits = [bit for bit in range(bits.bit_length()) if bits >> bit & 1]
    return "; ".join(_NAMES.get(bit, f"bit {bit}") for bit in set_bits) or "none"


def judge_taint(story: Story, ledger: Ledger) -> None:
    """Hold the bits that the trial added against those that the case may add."""
    before, after = story.baseline_vitals(), story.final_vitals()
    if before is None or after is None:
        when = "the baseline" if before is None else "after the unload"
        ledger.missing("taint added", f"no vitals of {when}")
        return
    added = after[1].taint & ~before[1].taint
    allowed = story.recording.case.expect.taint
    ledger.hold(
        "taint added",
        not added & ~allowed,
        taint_names(added & ~allowed or added),
        f"at most {taint_names(allowed)}",
        after,
    )
