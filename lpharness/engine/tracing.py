"""Counting calls of the old and the new version of a function, in the guest.

ftrace sees a call of a patched function before livepatch redirects it, so a count at the entry
would count both versions as one. Here a kprobe sits just *past* the ftrace site of each version:
it is reached only when that version's body runs. It takes no ftrace slot of the old function, so
it neither conflicts with livepatch's IPMODIFY nor changes ``enabled_functions``.

Calls are summed in the kernel by hist triggers (``Documentation/trace/histogram.rst``), a row a
task with its first or last call, so a hot function loses nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct

from lpharness.base.architecture import NATIVE
from lpharness.base.deadline import Deadline
from lpharness.checks.contract import PatchedFunction
from lpharness.engine.trace_clock import TraceClock, read_moment
from lpharness.guests.contract import Guest
from lpharness.timeline.events import CallsCounted, CallSeen, TracingUnavailable
from lpharness.timeline.recorder import Recorder

Side = Literal["old", "new"]
Edge = Literal["first", "last"]

_TRACING = "/sys/kernel/tracing"
_INSTANCE = f"{_TRACING}/instances/lph_calls"
_GROUP = "lph_calls"

# The scheduler's clock, not the boot clock: when the kernel cannot reserve a place in the ring it
# falls back to a spare buffer that knows no other (temp_buffer, kernel/trace/trace.c), and two
# clocks in one row would make a task seem to go back to old code. `read` converts.
_CLOCK = "local"
_CLOCKS = f"/lph/watch clocks {_INSTANCE}"

# hist can keep a maximum but no minimum: a first call is the maximum of BIG - timestamp.
_BIG = 1 << 60


# Tasks that a histogram has room for. All of it is allocated at once, some ten pieces a row: where
# each piece is written down with its stack that takes a minute, and seconds of one softirq to free.
_ROWS, _ROWS_WHERE_DEAR = 4096, 256


def _trigger(edge: Edge, generation: int, rows: int) -> str:
    """Return a hist trigger; each generation differs from the last in names and sort key.

    A histogram with variables cannot be cleared ("Variable already defined"), so counting from
    zero means another trigger, and two on one event must differ in what they are sorted by.
    """
    odd = generation % 2
    name, order = f"{edge}{odd}", ".descending" if odd else ""
    keep, sort = {
        "last": (f"{name}=common_timestamp", "hitcount"),
        "first": (f"at{odd}=common_timestamp:{name}={_BIG}-$at{odd}", "common_pid"),
    }[edge]
    return (
        f"hist:keys=common_pid:{keep}:onmax(${name}).save(comm)"
        f":clock={_CLOCK}:size={rows}:sort={sort}{order}"
    )


_ROW = re.compile(
    r"\{ common_pid:\s+(?P<pid>\d+) \} hitcount:\s+(?P<hits>\d+)\s+"
    r"max:\s+(?P<max>\d+)\s+comm: (?P<comm>[^\n]*)"
)

# ENDBR64, and what the kernel seals it to when nothing calls the function indirectly
# (arch/x86/kernel/alternative.c, poison_endbr); the five-byte ftrace site follows it.
_ENDBR = (bytes.fromhex("f30f1efa"), bytes.fromhex("660f1f00"))
_FTRACE_SITE = 5
# The upper halves of `addis r2,r12,…`, and of `lis r2,…` that the linker may make of it.
_FINDS_TOC = (bytes.fromhex("4c3c"), bytes.fromhex("403c"))


class _Probe(Struct, frozen=True):
    event: str
    place: str
    function: PatchedFunction
    side: Side


class _Call(Struct, frozen=True):
    pid: int
    comm: str
    hits: int
    at: int


def body_offset(code: bytes, arch: str = NATIVE) -> int:
    """Return how far into a function its body begins, given its first bytes.

    On x86-64 the ftrace site is ``nop``/``call`` of five bytes, after an ``endbr64`` on kernels
    with IBT. On ppc64el it is the second of the two instructions that ``-mprofile-kernel`` puts at
    the local entry point, ``mflr r0`` and ``bl _mcount``; where a function finds its table of
    contents itself, two instructions that do so come before (ELF v2 ABI, 2.3.2.1).
    """
    if arch == "ppc64el":
        return (8 if code[2:4] in _FINDS_TOC else 0) + 8
    return (4 if code[:4] in _ENDBR else 0) + _FTRACE_SITE


class CallCounter:
    """Counts the calls of each version of the functions of a case."""

    def __init__(self, guest: Guest, recorder: Recorder) -> None:
        self._guest = guest
        self._recorder = recorder
        self._arch = guest.spec.kernel.arch
        self._probes: list[_Probe] = []
        self._armed: dict[str, tuple[Edge, int]] = {}
        self._armed_ns = 0
        self._clock = TraceClock()
        self._rows = _ROWS_WHERE_DEAR if guest.spec.kernel.checks_itself else _ROWS

    def add_old(
        self, function: PatchedFunction, address: int, code: bytes, deadline: Deadline
    ) -> None:
        """Count entries into the kernel's own version at ``address``."""
        if any(p.side == "old" and _same(p.function, function) for p in self._probes):
            return
        # A bare address can name a namesake too, which SYMBOL+OFFSET could not.
        self._add(function, "old", f"{address + body_offset(code, self._arch):#x}", deadline)

    def add_new(self, function: PatchedFunction, deadline: Deadline) -> None:
        """Count entries into the patch's version; its module need not be loaded yet."""
        self._add(function, "new", f"{function.module}:{function.new}", deadline)

    def leave_out(self, function: PatchedFunction, reason: str) -> None:
        """Record that neither version of a function is counted, and why."""
        for side in ("old", "new"):
            self._unavailable(function, side, reason)

    def arm(self, direction: Literal["patching", "unpatching"], deadline: Deadline) -> None:
        """Begin a window: counts start at zero.

        While patching, the last call of the old version and the first of the new are kept for
        each task; while unpatching the other way round.
        """
        leaving = "old" if direction == "patching" else "new"
        lines = []
        for probe in self._probes:
            edge: Edge = "last" if probe.side == leaving else "first"
            lines += [f"{line} || echo '{probe.event}'" for line in self._rearm(probe, edge)]
        self._begin_clock(deadline)
        refused = self._run(lines, deadline)
        for probe in [probe for probe in self._probes if probe.event in refused]:
            self._unavailable(probe.function, probe.side, refused[probe.event])
            self._remove([probe], deadline)
        self._armed_ns = self._recorder.now()

    def _begin_clock(self, deadline: Deadline) -> None:
        if not self._probes:
            return
        said = self._guest.transport.run(_CLOCKS, deadline=deadline).text
        if moment := read_moment(said):
            self._clock.begin(moment)

    def _rearm(self, probe: _Probe, edge: Edge) -> list[str]:
        """Return the shell commands that make a probe count from zero.

        The new trigger comes before the old one goes: a probe without a trigger would be taken
        out of hot code and put back. It is appended, since opening a trigger file for truncation
        drops all its triggers.
        """
        file = _trigger_file(probe)
        old = self._armed.get(probe.event)
        new = (edge, old[1] + 1 if old else 0)
        self._armed[probe.event] = new
        commands = [f"echo '{_trigger(*new, self._rows)}' >> {file}"]
        if old:
            commands.append(f"echo '!{_trigger(*old, self._rows)}' >> {file}")
        return commands

    def read(self, *, driven: bool, deadline: Deadline) -> None:
        """Record what was counted since `arm`, and each task's first or last call."""
        if not self._probes:
            return
        script = "\n".join(
            f"echo '@{probe.event}'; cat {_INSTANCE}/events/{_GROUP}/{probe.event}/hist 2>&1"
            for probe in self._probes
        )
        text = self._guest.transport.run(
            f"{script}\necho '@'; cat {_TRACING}/kprobe_profile; echo '@clocks'; {_CLOCKS}",
            deadline=deadline,
        ).text
        *sections, profile, clocks = re.split(r"^@", text, flags=re.MULTILINE)[1:]
        if moment := read_moment(clocks.partition("\n")[2]):
            self._clock.end(moment)
        missed = _missed(profile)
        window = self._recorder.now() - self._armed_ns
        for probe, section in zip(self._probes, sections, strict=True):
            calls = _calls(section, self._armed[probe.event][0])
            self._recorder.add(
                CallsCounted(
                    host_ns=self._recorder.now(),
                    module=probe.function.module,
                    function=probe.function.old,
                    side=probe.side,
                    hits=sum(call.hits for call in calls),
                    missed=missed.get(probe.event, 0),
                    window_ns=window,
                    driven=driven,
                )
            )
            if self._clock.known:
                self._record_calls(probe, calls)

    def drop(self, module: str, deadline: Deadline) -> None:
        """Take the probes off a module's functions, before the module goes."""
        self._remove(
            [p for p in self._probes if p.function.module == module and p.side == "new"], deadline
        )

    def close(self, deadline: Deadline) -> None:
        """Take all probes down; the function's bytes are the kernel's own again."""
        self._remove(list(self._probes), deadline)
        self._guest.transport.run(f"rmdir {_INSTANCE} 2>/dev/null", deadline=deadline)

    def _add(self, function: PatchedFunction, side: Side, place: str, deadline: Deadline) -> None:
        event = f"{side}{len(self._probes)}"
        script = (
            f"mkdir -p {_INSTANCE} && echo {_CLOCK} > {_INSTANCE}/trace_clock && "
            f"echo 'p:{_GROUP}/{event} {place} comm=$comm' >> {_TRACING}/kprobe_events"
        )
        result = self._guest.transport.run(script, deadline=deadline)
        if result.exit_status == 0:
            self._probes.append(_Probe(event, place, function, side))
            return
        reason = result.stderr.decode(errors="replace").strip() or "refused"
        self._unavailable(function, side, reason)

    def _remove(self, probes: Sequence[_Probe], deadline: Deadline) -> None:
        lines = []
        for probe in probes:
            if armed := self._armed.pop(probe.event, None):
                lines.append(f"echo '!{_trigger(*armed, self._rows)}' >> {_trigger_file(probe)}")
            lines.append(f"echo '-:{_GROUP}/{probe.event}' >> {_TRACING}/kprobe_events")
            self._probes.remove(probe)
        self._run(lines, deadline)

    def _run(self, lines: Sequence[str], deadline: Deadline) -> dict[str, str]:
        """Run a script; return the events that a line of it named as refused, with the reason."""
        if not lines:
            return {}
        result = self._guest.transport.run("\n".join(lines), deadline=deadline)
        reason = " ".join(result.stderr.decode(errors="replace").split()) or "refused"
        return dict.fromkeys(result.text.split(), reason)

    def _unavailable(self, function: PatchedFunction, side: Side, reason: str) -> None:
        self._recorder.add(
            TracingUnavailable(
                host_ns=self._recorder.now(), function=function.old, side=side, reason=reason
            )
        )

    def _record_calls(self, probe: _Probe, calls: Iterable[_Call]) -> None:
        for call in calls:
            self._recorder.add(
                CallSeen(
                    host_ns=self._recorder.now(),
                    guest_ns=self._clock.boot_ns(call.at),
                    module=probe.function.module,
                    function=probe.function.old,
                    side=probe.side,
                    pid=call.pid,
                    comm=call.comm,
                )
            )


def _trigger_file(probe: _Probe) -> str:
    return f"{_INSTANCE}/events/{_GROUP}/{probe.event}/trigger"


def _same(one: PatchedFunction, other: PatchedFunction) -> bool:
    return (one.object, one.old, one.sympos) == (other.object, other.old, other.sympos)


def _calls(text: str, edge: Edge) -> list[_Call]:
    """Read the rows of a ``hist`` file."""
    return [
        _Call(
            pid=int(row["pid"]),
            comm=row["comm"].strip(),
            hits=int(row["hits"]),
            at=int(row["max"]) if edge == "last" else _BIG - int(row["max"]),
        )
        for row in _ROW.finditer(text)
    ]


def _missed(profile: str) -> dict[str, int]:
    """Read ``kprobe_profile``: event, hits, misses."""
    rows = (line.split() for line in profile.splitlines())
    return {row[0]: int(row[2]) for row in rows if len(row) == 3 and row[2].isdigit()}
