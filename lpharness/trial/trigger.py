"""Running the trigger of a case's flaw, after which a guest may never answer again."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from lpharness.base.deadline import Deadline
from lpharness.base.errors import DeadlineExpired, GuestError
from lpharness.cases.model import Flaw
from lpharness.checks.flaw import signs_seen
from lpharness.console import Finding
from lpharness.guests.contract import CommandResult, Guest
from lpharness.guests.slowness import slowness
from lpharness.timeline.events import FlawTried
from lpharness.timeline.recorder import Recorder

_KILL = 9
_MOST_OUTPUT = 65536
_LOOK_S = 0.2
"""How often it is looked whether the command has ended, while the console is listened to."""
_LATE_S = 0.5
"""A kernel thread may show the flaw a little after the trigger has ended; on a quick machine."""
_SILENCE_S = 0.5
"""A report is whole when the console says nothing more for so long."""


class Trigger:
    """The trigger in one guest; what came of it becomes a `FlawTried`."""

    def __init__(self, guest: Guest, recorder: Recorder, flaw: Flaw) -> None:
        self._guest = guest
        self._recorder = recorder
        self._flaw = flaw
        self._slowness = slowness(guest)
        self._shown = threading.Event()
        self._spoke = threading.Event()

    def heard(self, findings: Sequence[Finding]) -> None:
        """Take note of a line of the console, and of the findings that it completed."""
        self._spoke.set()
        signs = self._flaw.unpatched
        if signs.on_console and signs_seen(signs, findings):
            self._shown.set()

    def run(self, *, patched: bool) -> bool:
        """Run it; return whether it came to its end.

        Once the kernel has shown the flaw nobody waits for it any more. Never raises for what
        becomes of the guest: that is what a flaw may be about.
        """
        self._shown.clear()
        lines, began = len(self._guest.console), time.monotonic()
        out, err = bytearray(), bytearray()
        result, why = self._follow(out, err)
        tried = FlawTried(
            host_ns=0,
            guest_ns=result.guest_ended_ns if result else None,
            patched=patched,
            console_lines=lines,
            exit_status=result.exit_status if result else None,
            stdout=out.decode(errors="replace")[:_MOST_OUTPUT],
            stderr=err.decode(errors="replace")[:_MOST_OUTPUT],
            seconds=time.monotonic() - began,
            detail=why,
        )
        self._await_report(late=result is not None and not patched)
        self._recorder.add(msgspec.structs.replace(tried, host_ns=self._recorder.now()))
        return result is not None

    def _follow(self, out: bytearray, err: bytearray) -> tuple[CommandResult | None, str]:
        """Follow the command to its end, or to where it need not be waited for; say why."""
        deadline = Deadline.after(self._flaw.timeout_s * self._slowness)
        try:
            running = self._guest.transport.stream(
                ["/bin/sh", "-c", self._flaw.run],
                on_stdout=out.extend,
                on_stderr=err.extend,
                deadline=deadline,
            )
            while not self._shown.wait(_LOOK_S):
                with suppress(DeadlineExpired):
                    return running.wait(Deadline.after(0)), ""
                if deadline.expired:
                    running.signal(_KILL)
                    return None, f"did not end within {self._flaw.timeout_s * self._slowness:g} s"
        except GuestError as error:
            return None, str(error)
        return None, "the kernel showed the flaw meanwhile"

    def _await_report(self, *, late: bool) -> None:
        """Give the kernel the time to say all that it has to say of the flaw."""
        if late and self._flaw.unpatched.on_console:
            self._shown.wait(_LATE_S * self._slowness)
        while self._shown.is_set() and self._spoke.wait(_SILENCE_S):
            self._spoke.clear()
