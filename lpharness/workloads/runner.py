"""Running a workload in a guest, its reports becoming timeline events as they come."""

from __future__ import annotations

import threading
from typing import Any

import msgspec

from lpharness.base.deadline import Deadline
from lpharness.base.errors import DeadlineExpired, TransportError
from lpharness.cases.model import Drive
from lpharness.guests.contract import Guest
from lpharness.timeline.events import WorkloadBegan, WorkloadEnded, WorkloadSample
from lpharness.timeline.recorder import Recorder
from lpharness.workloads.catalog import Workload

_SIGTERM = 15


class RunningWorkload:
    """A workload under way; `stop` ends it and waits for its last word."""

    def __init__(self, guest: Guest, workload: Workload, drive: Drive, recorder: Recorder) -> None:
        self._name = workload.name
        self._recorder = recorder
        self._partial = b""
        self._errors = b""
        self._asked = False
        self._over = False
        self._began = threading.Event()
        self._running = guest.transport.stream(
            workload.command(drive, guest.spec.cpus, guest.spec.kernel.arch),
            on_stdout=self._on_output,
            on_stderr=self._on_error,
            deadline=Deadline.never(),
        )

    def await_start(self, deadline: Deadline) -> None:
        """Wait for its first report.

        Raises:
            DeadlineExpired: it said nothing; with what it wrote to stderr.
        """
        while not self._began.wait(min(0.5, deadline.remaining())):
            self.check_alive()
            if deadline.expired:
                raise DeadlineExpired(f"workload {self._name} does not report: {self._complaint()}")

    def check_alive(self) -> bool:
        """Return whether it runs; records its end if it ended by itself."""
        if self._over:
            return False
        try:
            result = self._running.wait(Deadline.after(0))
        except DeadlineExpired:
            return True
        self._record_end(result.exit_status)
        return False

    def stop(self, deadline: Deadline) -> None:
        """Ask it to end, and record how it ended."""
        if not self.check_alive():
            return
        self._asked = True
        try:
            self._running.signal(_SIGTERM)
            result = self._running.wait(deadline)
        except (DeadlineExpired, TransportError) as error:
            self._errors += str(error).encode()
            self._record_end(-1)
        else:
            self._record_end(result.exit_status)

    def _record_end(self, exit_status: int) -> None:
        self._over = True
        self._recorder.add(
            WorkloadEnded(
                host_ns=self._recorder.now(),
                workload=self._name,
                exit_status=exit_status,
                asked=self._asked,
                detail=self._complaint(),
            )
        )

    def _complaint(self) -> str:
        return self._errors.decode(errors="replace").strip()[-500:]

    def _on_error(self, data: bytes) -> None:
        self._errors = (self._errors + data)[-4096:]

    def _on_output(self, data: bytes) -> None:
        *lines, self._partial = (self._partial + data).split(b"\n")
        for line in lines:
            if not line:
                continue
            try:
                self._on_report(msgspec.json.decode(line))
            except (msgspec.DecodeError, KeyError):
                self._on_error(b"not a report: " + line[:200] + b"\n")

    def _on_report(self, said: dict[str, Any]) -> None:
        if "workers" in said:
            self._recorder.add(
                WorkloadBegan(
                    host_ns=self._recorder.now(),
                    guest_ns=said["t"],
                    workload=self._name,
                    workers=said["workers"],
                )
            )
            return
        self._recorder.add(
            WorkloadSample(
                host_ns=self._recorder.now(),
                guest_ns=said["t"],
                workload=self._name,
                worker=said["worker"],
                operations=said["ops"],
                errors=said["errors"],
                longest_gap_ns=said["gap"],
            )
        )
        self._began.set()
