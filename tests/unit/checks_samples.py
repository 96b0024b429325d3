"""A complete, clean, synthetic trial, and ways to spoil it one thing at a time."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from lpharness.cases.model import Case, Expect, ModuleSource, Outcome, Probe, Stall, Text
from lpharness.checks import CHECKS, PatchedFunction, Recording
from lpharness.results.model import CheckResult, TrialId, Verdict
from lpharness.timeline.events import (
    ActionTaken,
    Blocker,
    CallsCounted,
    CallSeen,
    ClockRead,
    CpuBeats,
    EnabledFunction,
    EnabledFunctions,
    Event,
    FunctionBytes,
    GuestStarted,
    Heartbeat,
    HeartbeatBegan,
    HostShare,
    ModuleLoadTried,
    ModuleUnloadTried,
    ObjectState,
    PatchSysfs,
    Phase,
    PhaseBegan,
    Probed,
    TaskMoved,
    TasksSampled,
    TransitionMarked,
    Vitals,
    WorkloadBegan,
    WorkloadEnded,
    WorkloadSample,
)

MS = 1_000_000
SECOND = 1_000 * MS
BOOTED = 10 * SECOND
"""The guest's clock when the trial's begins."""

MODULE = "lph_case"
OLD, NEW = "cmdline_proc_show", "lph_show"
FUNCTION = PatchedFunction(module=MODULE, object="vmlinux", old=OLD, sympos=0, new=NEW)

CONSOLE = (
    "[    0.000000] Linux version 6.1.0-56-cloud-amd64 (debian-kernel@lists.debian.org)",
    "[    2.100000] Run /init as init process",
    "[   11.000000] lph_case: loading out-of-tree module taints kernel.",
    "[   11.000100] lph_case: tainting kernel with TAINT_LIVEPATCH",
    "[   11.000200] livepatch: enabling patch 'lph_case'",
    "[   11.010000] livepatch: 'lph_case': starting patching transition",
    "[   12.300000] livepatch: 'lph_case': patching complete",
    "[   14.100000] livepatch: 'lph_case': starting unpatching transition",
    "[   15.300000] livepatch: 'lph_case': unpatching complete",
)

PROBE = Probe(
    name="shown",
    run="cat /proc/cmdline",
    states={
        "original": Outcome(stdout=Text(lacks="patched")),
        "patched": Outcome(stdout=Text(equals="patched")),
    },
)
STALL = Stall(comm="lph-sleeper", function="__do_sys_pause", release="kill", seconds=3.0)


def case(**changes: Any) -> Case:
    plain = Case(title="t", name="sample", modules=(ModuleSource(name=MODULE),), probes=(PROBE,))
    return msgspec.structs.replace(plain, **changes)


class Tale:
    """Events in order; `at` is the trial's time in seconds, on both clocks."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def add(self, at: float, kind: type[Event], **fields: Any) -> None:
        stamp = round(at * SECOND)
        fields.setdefault("guest_ns", BOOTED + stamp)
        self.events.append(kind(host_ns=stamp, **fields))

    def phase(self, at: float, phase: Phase, module: str | None = None) -> None:
        self.add(at, PhaseBegan, phase=phase, module=module, guest_ns=None)

    def vitals(self, at: float, taint: int, modules: tuple[str, ...]) -> None:
        self.add(
            at,
            Vitals,
            boot_id="b1",
            uptime_ns=BOOTED + round(at * SECOND),
            taint=taint,
            witness_pid=77,
            witness_start_ticks=900,
            connection_alive=True,
            modules=modules,
            files=400,
            tasks=60,
            slab_kb=9000,
        )

    def probe(self, at: float, state: str, stdout: str) -> None:
        self.add(
            at,
            Probed,
            probe="shown",
            state=state,
            exit_status=0,
            stdout=stdout,
            stderr="",
            seconds=0.1,
        )

    def count(self, at: float, old: int, new: int) -> None:
        for side, hits in (("old", old), ("new", new)):
            self.add(
                at,
                CallsCounted,
                module=MODULE,
                function=OLD,
                side=side,
                hits=hits,
                missed=0,
                window_ns=SECOND,
                driven=True,
            )

    def functions(self, at: float, redirected: bool) -> None:
        line = EnabledFunction(
            name=OLD,
            ip_modify=True,
            handlers=("klp_ftrace_handler",),
            line=f"{OLD} (1) R I  tramp: 0x0 (klp_ftrace_handler+0x0/0x180)",
        )
        self.add(at, EnabledFunctions, functions=(line,) if redirected else ())

    def code(self, at: float) -> None:
        self.add(
            at, FunctionBytes, object="vmlinux", function=OLD, sympos=0, hex="0f1f440000554889"
        )

    def sysfs(self, at: float, present: bool) -> None:
        state = ObjectState(patched=True, functions=(f"{OLD},1",))
        more: dict[str, Any] = (
            {"enabled": True, "transition": False, "objects": {"vmlinux": state}, "refcount": 1}
            if present
            else {}
        )
        self.add(at, PatchSysfs, patch=MODULE, present=present, **more)

    def mark(self, at: float, mark: str, direction: str) -> None:
        self.add(
            at, TransitionMarked, patch=MODULE, mark=mark, direction=direction, source="tracing"
        )

    def tasks(self, at: float, target: int, left: int, blockers: tuple[Blocker, ...] = ()) -> None:
        old, new = (left, 50 - left) if target else (50 - left, left)
        self.add(
            at,
            TasksSampled,
            patch=MODULE,
            target=target,
            idle=0,
            unpatched=old,
            patched=new,
            blockers=blockers,
        )

    def call(self, at: float, side: str, pid: int = 100, comm: str = "cat") -> None:
        self.add(at, CallSeen, module=MODULE, function=OLD, side=side, pid=pid, comm=comm)

    def work(self, begin: float, end: float) -> None:
        """Two workers, each reporting 100 operations each 100 ms."""
        for step in range(round(begin * 10), round(end * 10)):
            for worker in (0, 1):
                self.add(
                    step / 10 + worker / 1000,
                    WorkloadSample,
                    workload="syscall-hammer",
                    worker=worker,
                    operations=step * 100,
                    errors=0,
                    longest_gap_ns=5 * MS,
                )

    def beat(self, begin: float, end: float) -> None:
        """Two CPUs beat each 10 ms, 15 ms apart at most; one is busy, and no other holds it up."""
        for step in range(round(begin * 10), round(end * 10)):
            stamp = BOOTED + step * 100 * MS
            cpus = tuple(CpuBeats(cpu, step * 10 + 100, 15 * MS, stamp - 50 * MS) for cpu in (0, 1))
            self.add(step / 10 + 0.002, Heartbeat, cpus=cpus)
            ran = step * 100 * MS
            self.add(step / 10 + 0.003, HostShare, run_ns=ran, waited_ns=0, guest_ns=None)


def transition(tale: Tale, at: float, direction: str, stalled: float = 0.0) -> None:
    """Play a transition of 1.2 s (and ``stalled`` seconds in which a sleeper blocks it)."""
    target = 1 if direction == "patching" else 0
    leaving, coming = ("old", "new") if target else ("new", "old")
    tale.mark(at, "began", direction)
    tale.call(at + 0.1, leaving)
    tale.tasks(at + 0.2, target, 50)
    if stalled:
        sleeper = Blocker(90, "lph-sleeper", False, "S", ("__do_sys_pause+0x5/0x10", "do_syscall"))
        tale.tasks(at + stalled / 2, target, 1, (sleeper,))
        tale.add(at + stalled, ActionTaken, action="release", exit_status=0)
    at += stalled
    tale.add(
        at + 0.5,
        TaskMoved,
        patch=MODULE,
        pid=100,
        comm="cat",
        to=target,
        kthread=False,
        not_before_ns=BOOTED + round((at + 0.4) * SECOND),
    )
    tale.call(at + 0.6, coming)
    tale.tasks(at + 1.1, target, 0)
    tale.mark(at + 1.2, "completed", direction)


def clean(workload: str = "syscall-hammer", stall: bool = False) -> Recording:
    """Return a recording that every check passes (or skips, for want of a workload)."""
    tale = Tale()
    tale.phase(-1, Phase.BOOT)
    tale.add(-0.5, GuestStarted, how="restore", seconds=0.3, accelerator="tcg")
    tale.add(-0.4, ClockRead, uncertainty_ns=MS)
    tale.add(-0.35, HeartbeatBegan, cpus=(0, 1), period_ns=10 * MS)
    tale.beat(-0.3, 0)
    tale.phase(0, Phase.BASELINE)
    tale.vitals(0.01, 0, ("virtio_net",))
    tale.functions(0.02, redirected=False)
    tale.code(0.03)
    busy = workload == "syscall-hammer"
    if busy:
        tale.add(0.04, WorkloadBegan, workload=workload, workers=2)
        tale.work(0.1, 0.9)
    tale.probe(0.9, "original", "console=ttyS0")
    tale.count(0.95, old=40, new=0)
    tale.beat(0, 1)
    tale.phase(1, Phase.LOAD, MODULE)
    tale.add(1.05, ModuleLoadTried, module=MODULE, errno=0, seconds=0.04)
    tale.phase(1.06, Phase.TRANSITION, MODULE)
    transition(tale, 1.1, "patching", stalled=3.2 if stall else 0.0)
    later = 3.2 if stall else 0.0
    tale.beat(1, 2.5 + later)
    if busy:
        tale.work(1.0, 4.1 + later)
    tale.phase(2.5 + later, Phase.STEADY, MODULE)
    tale.sysfs(2.55 + later, present=True)
    tale.functions(2.6 + later, redirected=True)
    tale.probe(2.7 + later, MODULE, "patched\n")
    tale.count(3.5 + later, old=0, new=35)
    tale.vitals(3.6 + later, 45056, (MODULE, "virtio_net"))
    tale.beat(2.5 + later, 4 + later)
    tale.phase(4 + later, Phase.UNLOAD)
    transition(tale, 4.1 + later, "unpatching")
    tale.sysfs(5.35 + later, present=False)
    tale.add(5.5 + later, ModuleUnloadTried, module=MODULE, errno=0, seconds=0.1, waited_s=0.05)
    tale.sysfs(5.6 + later, present=False)
    tale.beat(4 + later, 6 + later)
    if busy:
        tale.work(4.2 + later, 5.9 + later)
    tale.phase(6 + later, Phase.AFTER)
    tale.probe(6.1 + later, "original", "console=ttyS0")
    if busy:
        tale.work(6.0 + later, 7.5 + later)
    tale.count(7.6 + later, old=30, new=0)
    if busy:
        ended = {"workload": workload, "exit_status": 0, "asked": True}
        tale.add(7.7 + later, WorkloadEnded, **ended)
    tale.functions(7.8 + later, redirected=False)
    tale.code(7.85 + later)
    tale.beat(6 + later, 7.9 + later)
    tale.vitals(7.9 + later, 45056, ("virtio_net",))
    tale.phase(8 + later, Phase.END)
    return Recording(
        id=TrialId(case="sample", kernel="6.1.0-56-cloud-amd64", workload=workload),
        case=case(expect=Expect(stall=STALL if stall else None)),
        functions=(FUNCTION,),
        events=tale.events,
        console=CONSOLE,
        accelerator="tcg",
    )


Which = Callable[[Any], bool]


def everything(event: Any) -> bool:
    del event
    return True


def nth(number: int) -> Which:
    """Return a choice of the ``number``th event that it is asked about (from 0)."""
    seen = iter(range(10**6))

    def which(event: Any) -> bool:
        del event
        return next(seen) == number

    return which


def drop(recording: Recording, kind: type[Event], which: Which = everything) -> Recording:
    kept = [e for e in recording.events if not (isinstance(e, kind) and which(e))]
    assert len(kept) < len(recording.events), f"there is no such {kind.__name__}"
    return msgspec.structs.replace(recording, events=kept)


def change(
    recording: Recording, kind: type[Event], which: Which = everything, **fields: Any
) -> Recording:
    changed = [
        msgspec.structs.replace(e, **fields) if isinstance(e, kind) and which(e) else e
        for e in recording.events
    ]
    assert changed != list(recording.events), f"there is no such {kind.__name__}"
    return msgspec.structs.replace(recording, events=changed)


def insert(recording: Recording, at: float, kind: type[Event], **fields: Any) -> Recording:
    """Add an event at a time of the trial, in its place."""
    tale = Tale()
    tale.add(at, kind, **fields)
    (event,) = tale.events
    events = list(recording.events)
    place = next((i for i, e in enumerate(events) if e.host_ns > event.host_ns), len(events))
    return msgspec.structs.replace(recording, events=[*events[:place], event, *events[place:]])


def expecting(recording: Recording, **fields: Any) -> Recording:
    expect = msgspec.structs.replace(recording.case.expect, **fields)
    changed = msgspec.structs.replace(recording.case, expect=expect)
    return msgspec.structs.replace(recording, case=changed)


def said(recording: Recording, *lines: str) -> Recording:
    """Add lines to the end of the console."""
    return msgspec.structs.replace(recording, console=[*recording.console, *lines])


def ask(check: str, recording: Recording) -> CheckResult:
    return CHECKS[check](recording)


def assert_verdict(check: str, recording: Recording, verdict: Verdict, words: str) -> CheckResult:
    """The check must come to ``verdict``, and its first line must hold ``words``."""
    result = ask(check, recording)
    assert (result.verdict, words in result.summary) == (verdict, True), result.summary
    if verdict is Verdict.FAIL:
        assert any(evidence.good is False for evidence in result.evidence)
    return result


def between(first: float, last: float) -> Which:
    return lambda event: first * SECOND <= event.host_ns <= last * SECOND


def of_worker(number: int, *more: Which) -> Which:
    return lambda event: event.worker == number and all(which(event) for which in more)


__all__: Sequence[str] = [name for name in dir() if not name.startswith("_")]
