"""Heartbeats of a guest's CPUs, beside what the host's scheduler did with the guest meanwhile.

``/lph/watch heartbeat`` (``images/programs/watch/heartbeat.c``) tells how long each CPU did not run
what was due. Whether that was the guest's own doing only the host can tell: it may have let others
run. Neither is judged here.
"""

from __future__ import annotations

import threading
from typing import Any

import msgspec

from lpharness.base.deadline import Deadline
from lpharness.base.errors import DeadlineExpired, TransportError
from lpharness.guests.contract import Guest
from lpharness.timeline.events import CpuBeats, Heartbeat, HeartbeatBegan, HostShare, Note
from lpharness.timeline.recorder import Recorder

LOOK_S = 0.02
"""How often the host's account is read: a gap is told from the host's doing only so exactly."""
_EVEN_NS = 1_000_000
_AT_LEAST_EACH_NS = 100_000_000


class HeartbeatWatch:
    """The heartbeats under way; `close` ends them."""

    def __init__(self, guest: Guest, recorder: Recorder) -> None:
        self._recorder = recorder
        self._kernel = guest.spec.kernel
        self._partial = b""
        self._errors = b""
        self._began = threading.Event()
        self._account = _Account(guest, recorder)
        self._running = guest.transport.stream(
            ["/lph/watch", "heartbeat"],
            on_stdout=self._on_output,
            on_stderr=self._on_error,
            deadline=Deadline.never(),
        )

    def await_start(self, deadline: Deadline) -> None:
        """Wait for the first report.

        Raises:
            DeadlineExpired: there is none.
        """
        if not self._began.wait(deadline.remaining()):
            said = self._errors.decode(errors="replace").strip()
            raise DeadlineExpired(f"the guest's CPUs have no heartbeat: {said or 'no report'}")

    def close(self, deadline: Deadline) -> None:
        """Let the hearts stop."""
        try:
            self._running.close_input()
            self._running.wait(deadline)
        except (DeadlineExpired, TransportError) as error:
            text = f"the heartbeats did not end: {error}"
            self._recorder.add(Note(host_ns=self._recorder.now(), text=text))
        finally:
            self.leave()

    def leave(self) -> None:
        """Look no more, whatever became of the guest; idempotent."""
        self._account.close()

    def _on_error(self, data: bytes) -> None:
        self._errors = (self._errors + data)[-4096:]

    def _on_output(self, data: bytes) -> None:
        *lines, self._partial = (self._partial + data).split(b"\n")
        for line in lines:
            self._on_report(msgspec.json.decode(line))

    def _on_report(self, said: dict[str, Any]) -> None:
        now, at = self._recorder.now(), said["t"]
        if "period" in said:
            cpus = tuple(said["cpus"])
            self._recorder.add(
                HeartbeatBegan(
                    host_ns=now,
                    guest_ns=at,
                    cpus=cpus,
                    period_ns=said["period"],
                    checks_itself=self._kernel.checks_itself,
                    rewrites_calls=self._kernel.rewrites_calls,
                    hands_over=said["hands_over"],
                )
            )
            return
        beats = msgspec.convert(said["cpus"], tuple[CpuBeats, ...])
        self._recorder.add(Heartbeat(host_ns=now, guest_ns=at, cpus=beats))
        self._began.set()


class _Account:
    """Reads the host's account again and again, and writes down where it is not even."""

    def __init__(self, guest: Guest, recorder: Recorder) -> None:
        self._guest = guest
        self._recorder = recorder
        self._written: HostShare | None = None
        self._last: HostShare | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_on, name="lph-account", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look once more, and end."""
        if not self._over.is_set():
            self._over.set()
            self._thread.join()
            self._look()

    def _look_on(self) -> None:
        while self._look() and not self._over.wait(LOOK_S):
            pass

    def _look(self) -> bool:
        share = self._guest.cpu_share()
        if share is None:
            return False
        now = self._recorder.now()
        self._note(HostShare(host_ns=now, run_ns=share.run_ns, waited_ns=share.waited_ns))
        return True

    def _note(self, seen: HostShare) -> None:
        last, written = self._last, self._written
        self._last = seen
        if last is None or written is None:
            self._write(seen)
        elif seen.waited_ns - last.waited_ns >= _EVEN_NS:
            if last is not written:
                self._write(last)
            self._write(seen)
        elif seen.host_ns - written.host_ns >= _AT_LEAST_EACH_NS:
            self._write(seen)

    def _write(self, seen: HostShare) -> None:
        self._written = seen
        self._recorder.add(seen)
