"""Recordings of the same synthetic trial under other models, and of a case that counts mixing."""

from typing import Any

import msgspec
from checks_samples import (
    BOOTED,
    MODULE,
    MS,
    PROBE,
    SECOND,
    change,
    clean,
    drop,
    insert,
)

from lpharness.cases.model import Outcome, Probe
from lpharness.checks import Recording
from lpharness.timeline.events import (
    Blocker,
    ModelMoved,
    ModelTried,
    Probed,
    TaskMoved,
    TransitionMarked,
)

PATCHING_NS, UNPATCHING_NS = BOOTED + 1_100 * MS, BOOTED + 4_100 * MS
"""When its transitions begin; each takes 1.2 s."""
SLEEPER = Blocker(90, "lph-sleeper", False, "S", ("schedule+0x5/0x10", "do_wait+0x1/0x2"))


def under(model: str, recording: Recording | None = None, repeat: int = 0) -> Recording:
    recording = recording or clean()
    name = msgspec.structs.replace(recording.id, model=model, repeat=repeat)
    return msgspec.structs.replace(recording, id=name)


def tried(
    recording: Recording, after_s: float, blocked: int = 0, *, stop_ns: int = MS, **more: Any
) -> Recording:
    """Add a look at the tasks so long after the patching began; its stop ends then, too."""
    ended = PATCHING_NS + round(after_s * SECOND)
    fields = {
        "guest_ns": ended + 3 * MS,
        "patch": MODULE,
        "target": 1,
        "began_ns": ended - stop_ns - 2 * MS,
        "stop_began_ns": ended - stop_ns if stop_ns else 0,
        "stop_ended_ns": ended if stop_ns else 0,
        "tasks": 60,
        "frames": 700,
        "blocked": blocked,
    }
    return insert(recording, 7.95, ModelTried, **{**fields, **more})


def stopping() -> Recording:
    """kpatch: two tries in vain, two seconds apart on its clock, then everything at once."""
    recording = drop(under("kpatch"), TaskMoved)
    recording = tried(recording, 0.1, blocked=1)
    recording = tried(recording, 0.6, blocked=1)
    return tried(recording, 1.1, stop_ns=5 * MS)


def marking() -> Recording:
    """kGraft: a task at the border, one woken, a kernel thread, an idle CPU, and one too late."""
    recording = drop(under("kgraft"), TaskMoved)
    recording = tried(recording, 0.5, blocked=2, stop_ns=0)
    moves = [
        (0.2, 100, "cat", False, "border"),
        (0.7, 90, "sleeper", False, "border"),
        (0.4, 12, "kworker", True, "waiting"),
        (0.3, 0, "swapper/1", True, "idle"),
        (2.0, 13, "late", False, "border"),
    ]
    for after_s, pid, comm, kthread, where in moves:
        recording = insert(
            recording, 7.96, ModelMoved, guest_ns=PATCHING_NS + round(after_s * SECOND),
            patch=MODULE, pid=pid, comm=comm, kthread=kthread, where=where,
        )  # fmt: skip
    return recording


def given_up() -> Recording:
    """kpatch, which found the same task in the way at each of its tries."""
    recording = drop(under("kpatch"), TaskMoved)
    recording = drop(recording, TransitionMarked, lambda e: e.direction == "unpatching")
    recording = change(recording, TransitionMarked, lambda e: e.mark == "completed",
                       mark="abandoned")  # fmt: skip
    for number in range(5):
        recording = tried(recording, 0.2 + number / 10, blocked=1, blockers=(SLEEPER,),
                          reasons=("cmdline_proc_show",))  # fmt: skip
    return recording


def counting(recording: Recording, *counts: str) -> Recording:
    """Let the case count: what its probe prints before, while and after the patch is on."""
    either = {"original": Outcome(exit=0), "patched": Outcome(exit=0)}
    probe = Probe(name="meetings", run="cat /proc/lph_contract", states=either)
    case = msgspec.structs.replace(recording.case, probes=(PROBE, probe))
    left, events = list(counts), []
    for event in recording.events:
        events.append(event)
        if isinstance(event, Probed) and left:
            events.append(
                msgspec.structs.replace(event, probe="meetings", stdout=left.pop(0), exit_status=0)
            )
    return msgspec.structs.replace(recording, case=case, events=events)
