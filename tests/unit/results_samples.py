"""Recorded-looking trials for the tests of the writers, and to look at while working on them.

``python tests/unit/results_samples.py FOLDER [TRIALS]`` writes a run's folder with its reports.
The numbers have the shape of real trials under TCG; nothing here is shown to anyone as a result.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import msgspec

from lpharness.results.folder import RunFolder
from lpharness.results.model import (
    CheckResult,
    Evidence,
    Provenance,
    Trial,
    TrialId,
    Verdict,
    worst,
)
from lpharness.timeline import events as e

S = 1_000_000_000
KERNEL_61 = "6.1.0-56-cloud-amd64"
KERNEL_612 = "6.12.117+deb13-cloud-amd64"
HOSTILE = (
    "<script>alert(1)</script>]]>\x1b[31mred\x00\x07 \u202egnp.exe \ud7ff | `x` **b** @someone # "
    "<img src=x onerror=alert(2)>"
)

BOOT_LOG = """\
[    0.000000] Linux version 6.1.0-56-cloud-amd64 (debian-kernel@lists.debian.org)
[    0.000000] Command line: console=ttyS0 panic=-1 quiet=0
[    0.000000] BIOS-provided physical RAM map:
[    0.000000] BIOS-e820: [mem 0x0000000000000000-0x000000000009fbff] usable
[    0.184233] smp: Bringing up secondary CPUs ...
[    0.201551] x86: Booting SMP configuration:
[    0.412000] Memory: 462352K/523896K available (14342K kernel code, 2354K rwdata)
[    0.913311] clocksource: tsc: mask: 0xffffffffffffffff max_cycles: 0x2854
[    1.220142] Freeing unused kernel image (initmem) memory: 2800K
[    1.431007] Run /init as init process
[    1.804444] virtio_console: module verification failed
[    2.101010] lpharness agent: ready""".splitlines()

OOPS = """\
[    9.113201] BUG: kernel NULL pointer dereference, address: 0000000000000010
[    9.113240] #PF: supervisor read access in kernel mode
[    9.113262] #PF: error_code(0x0000) - not-present page
[    9.113290] PGD 0 P4D 0
[    9.113312] Oops: 0000 [#1] PREEMPT SMP NOPTI
[    9.113335] CPU: 1 PID: 212 Comm: lph-hammer Tainted: G           OE K    6.1.0-56-cloud-amd64
[    9.113360] Hardware name: QEMU Standard PC (Q35 + ICH9, 2009), BIOS 1.16.2-debian-1.16.2-1
[    9.113382] RIP: 0010:lph_do_personality+0x1c/0x40 [lph_syscall]
[    9.113400] Code: 00 00 0f 1f 44 00 00 48 8b 47 10 c3 cc cc cc cc 66 0f 1f 84 00 00 00 00
[    9.113421] RSP: 0018:ffffb1e640213f10 EFLAGS: 00010246
[    9.113440] Call Trace:
[    9.113455]  <TASK>
[    9.113470]  __x64_sys_personality+0x1a/0x30
[    9.113490]  do_syscall_64+0x58/0xc0
[    9.113510]  entry_SYSCALL_64_after_hwframe+0x64/0xce
[    9.113530]  </TASK>
[    9.113551] ---[ end trace 0000000000000000 ]---""".splitlines()


class Tape:
    """Collects events on both clocks; the guest was restored at ``ahead`` seconds of its life."""

    def __init__(self, seed: int, ahead: float = 4.1) -> None:
        self.random = random.Random(seed)
        self.ahead = ahead
        self.events: list[e.Event] = []

    def at(
        self, host_s: float, kind: type[e.Event], *, guest: bool = True, **fields: object
    ) -> None:
        """Add an event that happened at ``host_s`` and was learnt of 2 ms later."""
        guest_ns = int((host_s + self.ahead) * S) if guest else None
        self.events.append(kind(host_ns=int(host_s * S) + 2_000_000, guest_ns=guest_ns, **fields))

    def phase(self, host_s: float, phase: str, module: str | None = None) -> None:
        self.at(host_s, e.PhaseBegan, guest=False, phase=e.Phase(phase), module=module)

    def clock(self, host_s: float) -> None:
        self.events.append(
            e.ClockRead(
                host_ns=int(host_s * S),
                guest_ns=int((host_s + self.ahead) * S),
                uncertainty_ns=400_000,
            )
        )

    def workload(
        self, began: float, ended: float, slow: list[tuple[float, float, float]], rate: float = 9000
    ) -> None:
        """Two workers that report each 100 ms; ``slow`` is (from, to, share of the usual rate)."""
        self.at(began, e.WorkloadBegan, workload="syscall-hammer", workers=2)
        for worker in range(2):
            total, at, previous = 0.0, began + 0.05 * worker, began
            while at < ended:
                share = next((s for a, b, s in slow if a <= at < b), 1.0)
                total += (at - previous) * rate * share * self.random.uniform(0.93, 1.05)
                gap = self.random.uniform(0.002, 0.009) / max(share, 0.08)
                self.at(
                    at,
                    e.WorkloadSample,
                    workload="syscall-hammer",
                    worker=worker,
                    operations=int(total),
                    errors=0,
                    longest_gap_ns=int(gap * S),
                )
                previous, at = at, at + 0.1 + self.random.uniform(0, 0.004)
        self.at(ended, e.WorkloadEnded, workload="syscall-hammer", exit_status=0, asked=True)

    def transition(
        self, patch: str, began: float, ended: float | None, until: float, tasks: int = 57
    ) -> None:
        """A patching transition; without ``ended`` one task blocks it for ever."""
        self._moves(patch, 1, began, ended, until, tasks)

    def reverse(self, patch: str, began: float, ended: float, tasks: int = 57) -> None:
        self._moves(patch, 0, began, ended, ended, tasks)

    def _moves(
        self, patch: str, target: int, began: float, ended: float | None, until: float, tasks: int
    ) -> None:
        direction = "patching" if target else "unpatching"
        self.at(
            began, e.TransitionMarked, patch=patch, mark="began", direction=direction, source="kmsg"
        )
        end = ended if ended is not None else until
        moves = []
        for _pid in range(2, tasks + 2):
            early = self.random.random() < 0.8
            moves.append(
                began + 0.02 + self.random.random() * 0.1
                if early
                else end - self.random.uniform(0.01, 0.2)
            )
        if ended is None:
            moves[-1] = 1e9
        for number, at in enumerate(moves):
            if at < until:
                self.at(
                    at,
                    e.TaskMoved,
                    patch=patch,
                    pid=number + 2,
                    comm=["kworker/0:1", "sh", "lph-hammer", "rcu_sched"][number % 4],
                    to=target,
                    kthread=number % 2 == 0,
                    not_before_ns=int((at - 0.004 + self.ahead) * S),
                )
        at = began
        while at <= end + 0.02:
            moved = sum(move <= at for move in moves)
            lag = tasks - moved
            blockers: tuple[e.Blocker, ...] = ()
            if lag:
                blockers = (
                    e.Blocker(
                        pid=tasks + 1,
                        comm="lph-sleeper",
                        kthread=False,
                        state="S",
                        stack=(
                            "do_sys_pause+0x1d/0x30",
                            "__x64_sys_pause+0xe/0x20",
                            "do_syscall_64+0x58/0xc0",
                            "entry_SYSCALL_64_after_hwframe+0x64/0xce",
                        ),
                    ),
                )
                if lag > 3:
                    blockers += (
                        e.Blocker(
                            pid=14,
                            comm="kworker/0:1",
                            kthread=True,
                            state="I",
                            stack=("worker_thread+0xc3/0x3b0", "kthread+0xda/0x100"),
                        ),
                    )
            self.at(
                at,
                e.TasksSampled,
                patch=patch,
                target=target,
                idle=0,
                unpatched=lag if target else moved,
                patched=moved if target else lag,
                blockers=blockers,
            )
            at += 0.05
        if ended is not None:
            self.at(
                ended,
                e.TransitionMarked,
                patch=patch,
                mark="completed",
                direction=direction,
                source="kmsg",
            )

    def done(self) -> list[e.Event]:
        return sorted(self.events, key=lambda event: event.host_ns)


def provenance(kernel: str = KERNEL_61, how: str = "restore") -> Provenance:
    return Provenance(
        lpharness="0.1.0",
        kernel_release=kernel,
        kernel_origin="debian:6.1-cloud",
        kernel_package="linux-image-" + kernel,
        kernel_version="6.1.192-2",
        kernel_sha256="9f8a7c" + "3e" * 29,
        image="minimal",
        image_identity="7d41f00c2b9a1e55aa01",
        modules={"lph_cmdline": "0a1b2c" + "4d" * 29},
        module_sources={"lph_cmdline": "5e6f70" + "8a" * 29},
        compiler="gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0",
        backend="qemu",
        backend_version="7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)",
        command_line=(
            "qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot "
            "-M q35,accel=tcg -cpu max -smp 2 -m 512 -kernel vmlinuz -initrd initramfs.cpio "
            "-append 'console=ttyS0 panic=-1' -device pvpanic -device virtio-serial-pci "
            "-chardev socket,id=agent,path=agent.sock,server=on,wait=off"
        ),
        accelerator="tcg",
        accelerator_why="kvm: a stock kernel did not boot within 5 s",
        started_by=how,
        cpus=2,
        memory_mb=512,
        seed=1729,
        host="Debian GNU/Linux 12, 2 CPUs",
    )


def _checks(**verdicts: tuple[str, str]) -> tuple[CheckResult, ...]:
    """All six checks; ``check=(verdict, summary)`` overrides a pass."""
    good = {
        "redirected": "cmdline_proc_show runs the patch's version",
        "consistent": "57 of 57 tasks moved; no call of the old version after its task had moved",
        "under-load": "no error, longest gap 21 ms, throughput 98 % of before",
        "unloaded": "sysfs, ftrace, first bytes, module and taint are as before",
        "no-reboot": "same boot id, witness process and TCP connection alive",
        "healthy": "no new fault on the console",
    }
    results = []
    for name, summary in good.items():
        verdict, said = verdicts.get(name.replace("-", "_"), ("pass", summary))
        results.append(
            CheckResult(
                check=name,
                verdict=Verdict(verdict),
                summary=said,
                evidence=_evidence(name, Verdict(verdict)),
            )
        )
    return tuple(results)


def _evidence(check: str, verdict: Verdict) -> tuple[Evidence, ...]:
    good = None if verdict is Verdict.SKIP else verdict in (Verdict.PASS, Verdict.XPASS)
    samples = {
        "redirected": (
            Evidence(
                what="enabled_functions of cmdline_proc_show",
                seen="cmdline_proc_show (1) R I \ttramp: 0xffffffffc0353000 "
                "(klp_ftrace_handler+0x0/0x1c0)",
                wanted="flag I and klp_ftrace_handler",
                good=True,
                guest_ns=int(8.31 * S),
                event=412,
            ),
            Evidence(
                what="probe “show”, state patched: standard output",
                seen="livepatch: this has been patched\n" if good else "console=ttyS0 panic=-1\n",
                wanted="livepatch: this has been patched",
                good=good,
                guest_ns=int(8.4 * S),
            ),
            Evidence(
                what="calls of cmdline_proc_show's old body in steady",
                seen="0 in 1.00 s while 812 reached the new one",
                good=True,
                guest_ns=int(9.4 * S),
            ),
        ),
        "consistent": (
            Evidence(
                what="patch_state of every task at completion",
                seen="57 at 1, 0 at 0" if good else "56 at 1, 1 at 0: 58 lph-sleeper",
                wanted="all at 1",
                good=good,
                guest_ns=int(8.2 * S),
            ),
        ),
        "healthy": (
            Evidence(
                what="console: oops" if not good else "console classes",
                seen="BUG: kernel NULL pointer dereference, address: 0000000000000010"
                if not good
                else "expected: livepatch-enable, livepatch-complete, taint-livepatch",
                good=good,
                console_line=18 if not good else None,
            ),
        ),
    }
    return samples.get(
        check,
        (Evidence(what=f"{check}: what was looked at", seen="as it was before", good=good),),
    )


def _trial(
    id_: TrialId,
    checks: tuple[CheckResult, ...],
    *,
    seconds: float,
    reason: str = "",
    **more: object,
) -> Trial:
    verdict = worst(check.verdict for check in checks)
    loud = next((check.summary for check in checks if check.verdict is verdict), "")
    fields: dict[str, object] = {
        "verdict": verdict,
        "reason": reason or ("all checks pass" if verdict is Verdict.PASS else loud),
        "provenance": provenance(id_.kernel),
        "phases": {"boot": 0.42, "baseline": 1.9, "load": 0.3, "transition": 1.3, "steady": 2.0},
        "seconds": seconds,
        "started_at": "2026-11-23T10:00:00+00:00",
        "finished": True,
    }
    return Trial(id=id_, checks=checks, **{**fields, **more})  # type: ignore[arg-type]


def _story(tape: Tape, patch: str, *, slow: float = 0.55) -> list[tuple[float, str]]:
    """A whole good life; returns the console's lines with host seconds."""
    tape.phase(0.0, "build")
    tape.phase(0.04, "boot")
    tape.at(0.46, e.GuestStarted, how="restore", seconds=0.42, accelerator="tcg", guest=False)
    tape.clock(0.47)
    tape.phase(0.5, "baseline")
    tape.workload(0.8, 8.4, [(2.7, 4.0, slow), (6.05, 7.3, slow)])
    tape.phase(2.4, "load", patch)
    tape.at(2.68, e.ModuleLoadTried, module=patch, errno=0, seconds=0.25)
    tape.phase(2.7, "transition", patch)
    tape.transition(patch, 2.7, 3.98, 3.98)
    tape.phase(4.0, "steady", patch)
    tape.clock(5.0)
    tape.phase(6.0, "unload", patch)
    tape.reverse(patch, 6.05, 7.3)
    tape.at(7.4, e.ModuleUnloadTried, module=patch, errno=0, seconds=0.05, waited_s=0.03)
    tape.phase(7.5, "after")
    tape.phase(8.6, "end")
    return [
        (2.66, f"{patch}: loading out-of-tree module taints kernel."),
        (2.66, f"{patch}: module verification failed: signature and/or required key missing"),
        (2.67, "livepatch: tainting kernel with TAINT_LIVEPATCH"),
        (2.69, f"livepatch: enabling patch '{patch}'"),
        (2.70, f"livepatch: '{patch}': starting patching transition"),
        (3.98, f"livepatch: '{patch}': patching complete"),
        (6.05, f"livepatch: '{patch}': starting unpatching transition"),
        (7.30, f"livepatch: '{patch}': unpatching complete"),
    ]


_EXPECTED = {
    "out-of-tree": "taint-out-of-tree",
    "verification": "taint-unsigned",
    "TAINT_LIVEPATCH": "taint-livepatch",
    "enabling": "livepatch-enable",
    "starting": "livepatch-begin",
    "complete": "livepatch-complete",
}


def _console(tape: Tape, said: list[tuple[float, str]], boot: list[str]) -> list[str]:
    lines = list(boot)
    for host_s, text in said:
        lines.append(f"[{host_s + tape.ahead:12.6f}] {text}")
        name = next((n for key, n in _EXPECTED.items() if key in text), None)
        if name:
            tape.at(
                host_s, e.ConsoleFound, name=name, severity="expected", line=len(lines), text=text
            )
    return lines


def passing(
    case: str = "cmdline", kernel: str = KERNEL_61, seed: int = 1
) -> tuple[Trial, list[e.Event], list[str]]:
    tape = Tape(seed)
    patch = f"lph_{case}"
    console = _console(tape, _story(tape, patch), BOOT_LOG)
    id_ = TrialId(case=case, kernel=kernel, workload="syscall-hammer")
    return _trial(id_, _checks(), seconds=8.6), tape.done(), console


def failing() -> tuple[Trial, list[e.Event], list[str]]:
    """An oops in the patch's function while the guest is busy."""
    tape = Tape(2)
    console = _console(tape, _story(tape, "lph_syscall")[:6], BOOT_LOG)
    first = len(console) + 1
    console += OOPS
    tape.events = [event for event in tape.events if event.host_ns < 5.1 * S]
    tape.at(
        5.02,
        e.ConsoleFound,
        name="null-dereference",
        severity="fatal",
        line=first,
        text=OOPS[0][15:],
    )
    tape.at(5.02, e.ConsoleFound, name="oops", severity="fatal", line=first + 4, text=OOPS[4][15:])
    tape.at(
        5.1, e.GuestEnded, guest=False, condition="oopsed", detail="oops on the console, no answer"
    )
    id_ = TrialId(case="syscall", kernel=KERNEL_61, workload="syscall-hammer")
    checks = _checks(
        healthy=(
            "fail",
            "oops in lph_do_personality+0x1c/0x40 [lph_syscall] 1.04 s after the transition",
        ),
        unloaded=("skip", "the guest died before the unload"),
        under_load=("fail", "the workload ended 3.3 s early: the guest is gone"),
    )
    return _trial(id_, checks, seconds=6.2), tape.done(), console


def stalled() -> tuple[Trial, list[e.Event], list[str]]:
    """A stall that the case declares as what must fail."""
    tape = Tape(3)
    tape.phase(0.0, "boot")
    tape.at(0.4, e.GuestStarted, how="restore", seconds=0.38, accelerator="tcg", guest=False)
    tape.clock(0.41)
    tape.phase(0.45, "baseline")
    tape.workload(0.6, 33.0, [(2.1, 32.1, 0.97)])
    tape.phase(1.9, "load", "lph_pause")
    tape.phase(2.1, "transition", "lph_pause")
    tape.transition("lph_pause", 2.1, None, 32.1)
    tape.at(
        32.1,
        e.TransitionMarked,
        patch="lph_pause",
        mark="reversed",
        direction="unpatching",
        source="kmsg",
    )
    tape.phase(32.1, "unload", "lph_pause")
    tape.at(
        32.6,
        e.TransitionMarked,
        patch="lph_pause",
        mark="completed",
        direction="unpatching",
        source="kmsg",
    )
    tape.phase(32.8, "after")
    tape.phase(33.4, "end")
    lines = _console(tape, [(2.1, "livepatch: 'lph_pause': starting patching transition")], [])
    id_ = TrialId(case="pause", kernel=KERNEL_612, workload="sleepers", variant="parked")
    checks = _checks(
        consistent=(
            "xfail",
            "stalled 30.0 s on lph-sleeper (58) in do_sys_pause, as the case declares",
        ),
        redirected=("skip", "the transition never completed"),
    )
    return _trial(id_, checks, seconds=34.1), tape.done(), lines


def broken() -> tuple[Trial, list[e.Event], list[str]]:
    """The guest never came."""
    tape = Tape(4)
    tape.phase(0.0, "build")
    tape.phase(0.3, "boot")
    id_ = TrialId(case="module", kernel=KERNEL_612, workload="fs-churn", variant="after")
    trial = Trial(
        id=id_,
        verdict=Verdict.ERROR,
        reason="the guest did not answer within 40 s: silent (no console output after 2.1 s)",
        provenance=provenance(KERNEL_612, "boot"),
        seconds=40.6,
        started_at="2026-11-23T10:01:00+00:00",
        finished=True,
    )
    return trial, tape.done(), BOOT_LOG[:5]


def killed() -> tuple[Trial, list[e.Event], list[str]]:
    """The harness was killed while the transition ran."""
    tape = Tape(5)
    console = _console(tape, _story(tape, "lph_replace")[:5], [])
    tape.events = [event for event in tape.events if event.host_ns < 3.1 * S]
    trial = Trial(
        id=TrialId(case="replace", kernel=KERNEL_61, workload="fork-storm"),
        verdict=Verdict.ERROR,
        reason="interrupted in phase transition",
        provenance=provenance(),
        started_at="2026-11-23T10:02:00+00:00",
    )
    return trial, tape.done(), console


def skipped() -> tuple[Trial, list[e.Event], list[str]]:
    trial = Trial(
        id=TrialId(case="ext4_fix", kernel=KERNEL_612, workload="fio"),
        verdict=Verdict.SKIP,
        reason="the case is meant for debian:6.1.0-55-*",
        started_at="2026-11-23T10:03:00+00:00",
        finished=True,
    )
    return trial, [], []


def surprising() -> tuple[Trial, list[e.Event], list[str]]:
    """Passes although the case says that it must fail."""
    trial, timeline, console = passing("callbacks", KERNEL_612, 6)
    checks = _checks(consistent=("xpass", "completed although the case declares a stall"))
    return _trial(trial.id, checks, seconds=8.9), timeline, console


def hostile() -> tuple[Trial, list[e.Event], list[str]]:
    """Everything that the guest or a case says tries to become something else than text."""
    trial, timeline, console = passing("hostile", KERNEL_61, 7)
    id_ = TrialId(case=HOSTILE, kernel=KERNEL_61, workload="idle\r\n| not ok 1 #")
    checks = (
        CheckResult(
            check="redirected",
            verdict=Verdict.FAIL,
            summary=HOSTILE,
            evidence=(
                Evidence(
                    what=HOSTILE,
                    seen=HOSTILE + "\n```\n" + "A" * 50_000,
                    wanted="\n".join("x" * 500),
                    good=False,
                ),
            ),
        ),
        CheckResult(check="healthy # SKIP", verdict=Verdict.PASS, summary="ok\nnot ok 1 forged"),
    )
    console += [HOSTILE, "B" * 200_000, "\x1b]0;title\x07", *(f"line {i}" for i in range(5000))]
    line = len(console) - 5002
    timeline.append(
        e.ConsoleFound(
            host_ns=timeline[-1].host_ns, name=HOSTILE, severity="bad", line=line, text=HOSTILE
        )
    )
    for number, event in enumerate(timeline):
        if isinstance(event, e.TransitionMarked):
            timeline[number] = msgspec.structs.replace(event, patch=HOSTILE)
        if isinstance(event, e.TasksSampled):
            blocker = e.Blocker(pid=9, comm=HOSTILE, kthread=False, state="<", stack=(HOSTILE,))
            timeline[number] = msgspec.structs.replace(event, patch=HOSTILE, blockers=(blocker,))
    trial = _trial(id_, checks, seconds=8.6)
    trial.provenance.command_line = f"qemu {HOSTILE}"
    return trial, timeline, console


SAMPLES = {
    "passing": passing,
    "failing": failing,
    "stalled": stalled,
    "broken": broken,
    "killed": killed,
    "skipped": skipped,
    "surprising": surprising,
    "hostile": hostile,
}


def write(run: RunFolder, sample: tuple[Trial, list[e.Event], list[str]]) -> None:
    """Keep a sample the way a trial does."""
    trial, timeline, console = sample
    folder = run.trial(trial.id)
    folder.write(trial)
    encoder = msgspec.json.Encoder()
    folder.timeline_path.write_bytes(b"".join(encoder.encode(event) + b"\n" for event in timeline))
    folder.console_path.write_bytes(
        "".join(f"{line}\n" for line in console).encode(errors="replace")
    )


def write_all(path: Path, more: int = 0) -> RunFolder:
    """Write every sample, and ``more`` passing trials."""
    with RunFolder.create(path) as run:
        for make in SAMPLES.values():
            write(run, make())
        for number in range(more):
            trial, timeline, console = passing("cmdline", KERNEL_61, number)
            trial.id = msgspec.structs.replace(trial.id, repeat=number + 1)
            write(run, (trial, timeline, console))
    return run


if __name__ == "__main__":
    from lpharness.results.writers import write_reports

    many = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    for name, path in write_reports(write_all(Path(sys.argv[1]), many)).items():
        sys.stdout.write(f"{name}: {path}\n")
