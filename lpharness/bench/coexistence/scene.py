"""A guest in which a tracer and a livepatch meet at one function."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from msgspec import Struct

from lpharness.base.deadline import Deadline
from lpharness.base.errors import GuestError
from lpharness.bench.coexistence.model import Act, Step, Tracer
from lpharness.cases.model import Case
from lpharness.checks.probing import mismatches
from lpharness.engine.build import Module
from lpharness.engine.livepatch import LivepatchControl
from lpharness.engine.watcher import Watcher
from lpharness.guests.contract import CommandResult, Guest
from lpharness.guests.slowness import slowness
from lpharness.timeline.events import Probed
from lpharness.timeline.recorder import Recorder

CALLS = 5
"""How often the function is called after each act."""
_TEMPORARY = "/tmp"  # noqa: S108 — the guest's own


class Cast(Struct, frozen=True, kw_only=True):
    """Who meets: all of it built."""

    case: Case
    """Of one module and one probe, whose command calls the function once."""
    module: Module
    probe: Path
    """``lph_probe.ko``."""
    bpfcount: Path

    @property
    def function(self) -> str:
        """The function that is patched."""
        return self.module.inspection.functions[0].old


class Scene:
    """One guest; each act is followed by a look at behaviour and counts."""

    def __init__(self, guest: Guest, cast: Cast) -> None:
        self._guest = guest
        self._cast = cast
        self._recorder = Recorder()
        self._slowness = slowness(guest)
        self._accelerator = guest.start.accelerator
        self._watcher = Watcher(guest, self._recorder)
        self._patch = LivepatchControl(guest, self._watcher, self._recorder)
        self.tracing = False
        self.patched = False
        transport = guest.transport
        for path, mode in ((cast.probe, 0o644), (cast.bpfcount, 0o755)):
            place = f"{_TEMPORARY}/{path.name}"
            transport.put(path, place, mode=mode, deadline=self._soon())
        self._patch.upload(cast.module.name, cast.module.path, self._soon())
        self._watcher.await_ready(self._soon())

    def close(self) -> None:
        """Let go of the guest's watcher."""
        self._watcher.close(self._soon())

    def act(self, act: Act, tracer: Tracer) -> Step:
        """Do one thing, and look at what came of it."""
        refused = self._do(act, tracer)
        if not refused:
            self.tracing = {Act.TRACER_ON: True, Act.TRACER_OFF: False}.get(act, self.tracing)
            self.patched = {Act.PATCH_ON: True, Act.PATCH_OFF: False}.get(act, self.patched)
        wrong: list[str] = []
        before = self._count(tracer)
        patched = self._call(wrong)
        after = self._count(tracer)
        counted = None if before is None or after is None else after - before
        if self.tracing and counted != CALLS:
            wrong.append(f"the tracer counted {counted} of {CALLS} calls")
        enabled = self._enabled()
        if not self.tracing and not self.patched and enabled:
            wrong.append(f"ftrace still has {enabled}")
        return Step(
            act=act,
            refused=refused,
            patched=patched,
            counted=counted,
            calls=CALLS,
            enabled=enabled,
            wrong=tuple(wrong),
        )

    def _do(self, act: Act, tracer: Tracer) -> str:
        """Do it; return the kernel's error if it was refused.

        Raises:
            GuestError: what was let in cannot be got out again, or nobody can say.
        """
        name = self._cast.module.name
        match act:
            case Act.TRACER_ON:
                return _error_of(self._run(tracer.on))
            case Act.TRACER_OFF:
                if error := _error_of(self._run(tracer.off)):
                    raise GuestError(f"{tracer.name} does not leave: {error}")
            case Act.PATCH_ON:
                if number := self._patch.load(name, self._soon(30)):
                    return errno.errorcode.get(number, f"errno {number}")
                self._patch.await_transition("patching", self._transition())
            case Act.PATCH_OFF:
                self._patch.set_enabled(name, False, self._soon(30))
                self._patch.await_transition("unpatching", self._transition())
                if number := self._patch.unload(name, self._soon(15)):
                    raise GuestError(f"{name} does not unload: errno {number}")
        return ""

    def _run(self, command: str) -> CommandResult:
        script = f"F={self._cast.function}; {command}"
        return self._guest.transport.run(script, deadline=self._soon(15))

    def _count(self, tracer: Tracer) -> int | None:
        """Return what the tracer has counted so far; ``None`` if it is not on."""
        if not self.tracing:
            return None
        result = self._run(tracer.count)
        try:
            return int(result.text)
        except ValueError:
            said = (result.stderr or result.stdout).decode(errors="replace").strip()
            raise GuestError(f"{tracer.name} does not tell a count: {said[:200]}") from None

    def _call(self, wrong: list[str]) -> bool:
        """Call the function some times; return whether it behaved as the patch makes it."""
        (probe,) = self._cast.case.probes
        due = probe.outcome("patched" if self.patched else "original")
        other = probe.outcome("original" if self.patched else "patched")
        as_due = as_other = 0
        for _ in range(CALLS):
            result = self._guest.transport.run(probe.run, deadline=self._soon())
            said = Probed(
                host_ns=0,
                probe=probe.name,
                state="",
                exit_status=result.exit_status,
                stdout=result.text,
                stderr=result.stderr.decode(errors="replace"),
                seconds=result.seconds,
            )
            as_due += not mismatches(due, said)
            as_other += not mismatches(other, said)
        if as_due != CALLS:
            state = "patched" if self.patched else "original"
            wrong.append(f"{CALLS - as_due} of {CALLS} calls were not as {state}")
        return self.patched if as_due >= as_other else not self.patched

    def _enabled(self) -> str:
        """Return the function's line in ``enabled_functions``; empty if there is none."""
        text = self._guest.transport.get(
            "/sys/kernel/tracing/enabled_functions", deadline=self._soon()
        ).decode(errors="replace")
        name = f"{self._cast.function} "
        lines = [line for line in text.splitlines() if line.startswith(name)]
        return " ".join(lines[0].split()) if lines else ""

    def _transition(self) -> Deadline:
        return Deadline.after(self._cast.case.expect.transition_bound(self._accelerator) + 2)

    def _soon(self, seconds: float = 4.0) -> Deadline:
        return Deadline.after(seconds * self._slowness)


def _error_of(result: CommandResult) -> str:
    """Return the name of the error that a command was refused with; empty if it was not."""
    if result.exit_status == 0:
        return ""
    said = (result.stderr or result.stdout).decode(errors="replace").strip()
    for number, name in errno.errorcode.items():
        if os.strerror(number) in said:
            return name
    return said[:200] or f"exit status {result.exit_status}"
