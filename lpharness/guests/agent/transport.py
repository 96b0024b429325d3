"""The `Transport` over the agent's channel."""

from __future__ import annotations

import os
import secrets
import struct
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from lpharness.base.deadline import Deadline
from lpharness.base.errors import DeadlineExpired, GuestDied, GuestError
from lpharness.guests.agent.channel import Channel, Exit, Job, refusal
from lpharness.guests.agent.frames import MAX_PAYLOAD, FrameType
from lpharness.guests.condition import DEAD
from lpharness.guests.contract import ClockReading, CommandResult, Condition, Running

_NOBODY = Deadline.never()
Diagnose = Callable[[], tuple[Condition, str]]


def _argv(command: str | Sequence[str]) -> bytes:
    words = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
    payload = b"".join(os.fsencode(word) + b"\0" for word in words)
    if len(payload) > MAX_PAYLOAD:
        raise GuestError(
            f"command of {len(payload)} bytes is too long for the agent",
            hint=f"{MAX_PAYLOAD} at most: put a script in the guest and run that",
        )
    return payload


def _result(end: Exit, stdout: bytes, stderr: bytes, began: float) -> CommandResult:
    code = os.waitstatus_to_exitcode(end.status)
    return CommandResult(
        exit_status=code if code >= 0 else 128 - code,
        stdout=stdout,
        stderr=stderr,
        seconds=time.monotonic() - began,
        guest_began_ns=end.began_ns,
        guest_ended_ns=end.ended_ns,
    )


class AgentTransport:
    """Commands and files through the agent; see `lpharness.guests.contract.Transport`.

    Several threads may use it at once.
    """

    name = "agent"

    def __init__(self, channel: Channel, *, diagnose: Diagnose | None = None) -> None:
        """Speak through ``channel``.

        ``diagnose`` is asked, when a command overran its deadline, what the guest is like then;
        that takes a few seconds at most, and turns a time-out into `GuestDied` where it must.
        """
        self.channel = channel
        self._diagnose = diagnose
        self.overran = ""
        """The latest command, if it overran its deadline; empty once another has ended."""

    def run(
        self, command: str | Sequence[str], *, stdin: bytes = b"", deadline: Deadline
    ) -> CommandResult:
        """Run a command and return how it ended; it is killed when the deadline passes."""
        began = time.monotonic()
        try:
            end, stdout, stderr = self._transact(FrameType.EXEC, _argv(command), stdin, deadline)
        except DeadlineExpired:
            raise self._overrun(command, time.monotonic() - began) from None
        self.overran = ""
        return _result(end, stdout, stderr, began)

    def answers(self, deadline: Deadline) -> tuple[bool, bool]:
        """Return whether the agent answers, and whether a new process in the guest does."""
        try:
            self.ping(deadline)
        except GuestError:
            return False, False
        try:
            self._transact(FrameType.GET, b"/proc/uptime", b"", deadline)
        except GuestError:
            return True, False
        return True, True

    def _overrun(self, command: str | Sequence[str], seconds: float) -> GuestError:
        text = command if isinstance(command, str) else " ".join(command)
        self.overran = text if len(text) <= 80 else f"{text[:77]}..."
        what = f"no end after {seconds:.1f} s: {self.overran}"
        if self._diagnose is None:
            return DeadlineExpired(what)
        condition, detail = self._diagnose()
        if condition in DEAD:
            return GuestDied(f"{what}; the guest is {condition}: {detail}", condition=condition)
        return DeadlineExpired(f"{what}; {condition}: {detail}")

    def stream(
        self,
        command: str | Sequence[str],
        *,
        on_stdout: Callable[[bytes], None],
        on_stderr: Callable[[bytes], None] | None = None,
        deadline: Deadline,
    ) -> Running:
        """Start a long command; ``deadline`` is for its start, `Running.wait` has its own."""
        job = self.channel.start_job(FrameType.EXEC, _argv(command))
        try:
            self.channel.wait_started(job, deadline)
        except BaseException:
            self.channel.abandon(job)
            raise
        if job.refused:
            raise refusal(job)
        return AgentRunning(self.channel, job, on_stdout, on_stderr)

    def put(
        self, content: bytes | Path, path: str, *, mode: int = 0o644, deadline: Deadline
    ) -> None:
        """Write a file aside in its folder and rename it.

        Raises:
            GuestError: the guest refused, for example because the folder does not exist.
        """
        data = content.read_bytes() if isinstance(content, Path) else content
        request = struct.pack("<QI", len(data), mode) + os.fsencode(path)
        end, _, stderr = self._transact(FrameType.PUT, request, data, deadline)
        self._must(end, stderr, "write")

    def get(self, path: str, *, deadline: Deadline) -> bytes:
        """Read a file to its end.

        Raises:
            GuestError: the guest refused, for example because there is no such file.
        """
        end, stdout, stderr = self._transact(FrameType.GET, os.fsencode(path), b"", deadline)
        self._must(end, stderr, "read")
        return stdout

    def ping(self, deadline: Deadline) -> ClockReading:
        """Ask the agent for the guest's clock, once."""
        answer, sent, received = self.channel.ask(FrameType.PING, b"", deadline)
        return ClockReading(
            host_ns=(sent + received) // 2,
            guest_ns=struct.unpack("<Q", answer.payload)[0],
            uncertainty_ns=(received - sent) // 2,
        )

    def clock(self, deadline: Deadline, *, pings: int = 5) -> ClockReading:
        """Read the guest's clock by the fastest of a few pings."""
        readings = [self.ping(deadline) for _ in range(pings)]
        return min(readings, key=lambda reading: reading.uncertainty_ns)

    def renew(self, deadline: Deadline) -> None:
        """Set the guest's wall clock from the host's and reseed its random pool.

        What a restored guest needs so as not to be its snapshot's twin (``RNDADDENTROPY`` and
        ``RNDRESEEDCRNG``, see random(4)).
        """
        request = struct.pack("<Q", time.time_ns()) + secrets.token_bytes(64)
        answer, _, _ = self.channel.ask(FrameType.RENEW, request, deadline)
        error = struct.unpack("<I", answer.payload)[0]
        if error:
            raise GuestError(f"the guest's clock and randomness: {os.strerror(error)}")

    def close(self) -> None:
        """Let go of the channel; idempotent."""
        self.channel.close()

    # --- one job from begin to end ----------------------------------------------------------

    def _transact(
        self, kind: FrameType, request: bytes, stdin: bytes, deadline: Deadline
    ) -> tuple[Exit, bytes, bytes]:
        job = self.channel.start_job(kind, request)
        stdout, stderr = bytearray(), bytearray()
        rest = memoryview(stdin)
        input_open = True
        try:
            while True:
                while rest and (sent := self.channel.send_input(job, rest)):
                    rest = rest[sent:]
                if input_open and not rest:
                    self.channel.end_input(job)
                    input_open = False
                chunks = self.channel.next_chunks(job, deadline, input_waits=bool(rest))
                for kind_of, data in chunks:
                    (stdout if kind_of == FrameType.OUT else stderr).extend(data)
                    self.channel.consumed(job, len(data))
                if job.refused:
                    raise refusal(job)
                if job.exit and not job.chunks:
                    return job.exit, bytes(stdout), bytes(stderr)
        except BaseException:
            self.channel.abandon(job)
            raise

    @staticmethod
    def _must(end: Exit, stderr: bytes, what: str) -> None:
        if end.status:
            said = stderr.decode(errors="replace").strip() or f"status {end.status}"
            raise GuestError(f"the guest cannot {what} {said}")


class AgentRunning:
    """A long command; its output goes to callbacks from one thread of its own."""

    def __init__(
        self,
        channel: Channel,
        job: Job,
        on_stdout: Callable[[bytes], None],
        on_stderr: Callable[[bytes], None] | None,
    ) -> None:
        self._channel, self._job = channel, job
        self._on_stdout, self._on_stderr = on_stdout, on_stderr
        self._began = time.monotonic()
        self._error: BaseException | None = None
        self._ended = threading.Event()
        self._input_lock = threading.Lock()
        threading.Thread(target=self._follow, name=f"lph-job-{job.id}", daemon=True).start()

    def send(self, data: bytes) -> None:
        """Write to its standard input; waits while the command does not read."""
        with self._input_lock:
            rest = memoryview(data)
            while rest:
                self._channel.wait_input(self._job, _NOBODY)
                if self._job.exit or self._job.refused:
                    return
                rest = rest[self._channel.send_input(self._job, rest) :]

    def close_input(self) -> None:
        """Close its standard input."""
        self._channel.end_input(self._job)

    def signal(self, number: int) -> None:
        """Send its process group a signal."""
        self._channel.signal(self._job, number)

    def wait(self, deadline: Deadline) -> CommandResult:
        """Wait for its end and for the last callback."""
        left = deadline.remaining()
        if not self._ended.wait(min(left, threading.TIMEOUT_MAX)):
            raise DeadlineExpired("the command still runs")
        if self._error is not None:
            raise self._error
        assert self._job.exit is not None
        return _result(self._job.exit, b"", b"", self._began)

    def _follow(self) -> None:
        try:
            while True:
                for kind, data in self._channel.next_chunks(self._job, _NOBODY):
                    listener = self._on_stdout if kind == FrameType.OUT else self._on_stderr
                    if listener is not None:
                        listener(data)
                    self._channel.consumed(self._job, len(data))
                if self._job.refused:
                    raise refusal(self._job)
                if self._job.exit and not self._job.chunks:
                    return
        except BaseException as error:  # wait() raises it
            self._error = error
            self._channel.abandon(self._job)
        finally:
            self._ended.set()
