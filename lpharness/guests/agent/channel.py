"""A session with the guest's agent over a byte stream: one thread moves bytes, callers wait.

No caller ever blocks in I/O, so every wait ends at its deadline, or at once when the guest dies.
Output is limited by credit for each job: a slow consumer holds up only its own command, and
neither side's memory grows with the output.
"""

from __future__ import annotations

import math
import os
import secrets
import select
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from lpharness.base.deadline import Deadline
from lpharness.base.errors import DeadlineExpired, GuestError, LpharnessError, TransportError
from lpharness.guests.agent.frames import (
    INPUT_WINDOW,
    OPEN_FRAME_END,
    OUTPUT_WINDOW,
    Frame,
    FrameReader,
    FrameType,
    Malformed,
    encode,
)

_CREDIT_STEP = OUTPUT_WINDOW // 4
_RECEIVE = 1 << 18
_READY = encode(0, FrameType.READY)

Explain = Callable[[str], LpharnessError]
"""From what went wrong with the channel to the error to raise; may look at the guest first."""


@dataclass(frozen=True, slots=True)
class Exit:
    """The end of a job."""

    status: int
    """As from ``waitpid``."""
    began_ns: int
    ended_ns: int


@dataclass(slots=True, eq=False)
class Job:
    """What the host knows of one child process of the agent; fields guarded by the channel."""

    id: int
    chunks: deque[tuple[FrameType, bytes]] = field(default_factory=deque)
    owed: int = 0
    input_credit: int = INPUT_WINDOW
    started: bool = False
    exit: Exit | None = None
    refused: int = 0
    """An errno of the agent's, when there will be no child."""
    abandoned: bool = False


class Channel:
    """The host's end of the agent's byte stream.

    A session is begun by the constructor, without waiting: requests made at once follow the
    greeting, and are answered when the guest gets so far.
    """

    def __init__(
        self, sock: socket.socket, *, explain: Explain = TransportError, resync: bool = False
    ) -> None:
        """Take over ``sock``, a connected stream socket.

        Args:
            sock: the host's end; closed by `close`.
            explain: makes the error that waiting callers raise when the channel fails.
            resync: whether another host may have left a frame half sent in this stream.
        """
        self._sock = sock
        self._sock.setblocking(False)
        self._explain = explain
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._changed = threading.Condition()
        self._outgoing = bytearray()
        self._jobs: dict[int, Job] = {}
        self._answers: dict[int, tuple[Frame, int] | None] = {}
        self._last_id = 0
        self._lost: str | None = None
        self._closed = False
        self._welcome = False
        self._hurried_at = self._patience = math.inf
        self._reader = FrameReader()
        self._new_session()
        if resync:
            self._outgoing += OPEN_FRAME_END
        self._hello()
        self._thread = threading.Thread(target=self._move_bytes, name="lph-agent", daemon=True)
        self._thread.start()

    # --- the session ------------------------------------------------------------------------

    def _new_session(self) -> None:
        self._nonce = secrets.randbits(64) | 1  # its low half names the session and is never 0
        self._session = self._nonce & 0xFFFFFFFF
        self._welcome = False
        self._welcome_start = encode(
            self._session, FrameType.WELCOME, 0, struct.pack("<QII", self._nonce, 0, 0)
        )[:16]

    def _hello(self) -> None:
        self._outgoing += encode(self._session, FrameType.HELLO, 0, struct.pack("<Q", self._nonce))

    def wait_welcome(self, deadline: Deadline) -> None:
        """Wait until the agent has answered the greeting.

        Raises:
            DeadlineExpired: it did not.
            LpharnessError: whatever ``explain`` makes of a channel that failed.
        """
        self._wait(lambda: self._welcome, deadline, "the guest's agent does not answer")

    def fail(self, reason: str) -> None:
        """Let every waiting caller, now and later, raise what ``explain(reason)`` returns."""
        with self._changed:
            if self._lost is None:
                self._lost = reason
            self._changed.notify_all()
        self._poke()

    def hurry(self, seconds: float) -> None:
        """Let no wait that has a deadline last longer than this from now on, those begun included.

        For a guest that is badly hurt: it answers soon, or never.
        """
        with self._changed:
            self._hurried_at, self._patience = time.monotonic(), seconds
            self._changed.notify_all()

    @property
    def lost(self) -> str | None:
        """Why the channel can't be used any more; ``None`` while it can."""
        return self._lost

    def close(self) -> None:
        """Let go of the stream; the agent ends this session's jobs when the next one begins."""
        if self._closed:
            return
        self._closed = True
        self.fail("the channel was closed")
        if threading.current_thread() is not self._thread:
            self._thread.join()

    # --- requests ---------------------------------------------------------------------------

    def start_job(self, type: FrameType, payload: bytes) -> Job:  # noqa: A002
        """Ask for a child process (``EXEC``, ``PUT``, ``GET``), without waiting."""
        with self._changed:
            self._last_id += 1
            job = Job(self._last_id)
            self._jobs[job.id] = job
        self._send(type, job.id, payload)
        return job

    def send_input(self, job: Job, data: bytes | memoryview) -> int:
        """Send as much of ``data`` as the agent takes now; return how much."""
        with self._changed:
            length = min(len(data), job.input_credit, INPUT_WINDOW // 2)
            job.input_credit -= length
        if length:
            self._send(FrameType.INPUT, job.id, bytes(data[:length]))
        return length

    def end_input(self, job: Job) -> None:
        """Close the job's standard input."""
        self._send(FrameType.INPUT, job.id, b"")

    def signal(self, job: Job, number: int) -> None:
        """Send the job's process group a signal."""
        self._send(FrameType.SIGNAL, job.id, struct.pack("<I", number))

    def abandon(self, job: Job) -> None:
        """Kill a job nobody waits for any more; what it still says is dropped."""
        with self._changed:
            job.abandoned = True
            owed = job.owed + sum(len(data) for _, data in job.chunks)
            job.chunks.clear()
            over = job.exit is not None or self._lost is not None
        if not over:
            self.signal(job, 9)
            self._credit(job, owed)

    def next_chunks(
        self, job: Job, deadline: Deadline, *, input_waits: bool = False
    ) -> list[tuple[FrameType, bytes]]:
        """Wait for news of a job and return the output that came; credit it when consumed.

        Returns an empty list when the job ended or was refused, or, with ``input_waits``, when
        input can be sent.
        """

        def news() -> bool:
            return bool(
                job.chunks or job.exit or job.refused or (input_waits and job.input_credit > 0)
            )

        self._wait(news, deadline, "the command still runs")
        with self._changed:
            chunks = list(job.chunks)
            job.chunks.clear()
        return chunks

    def wait_started(self, job: Job, deadline: Deadline) -> None:
        """Wait until the agent has made the child."""
        self._wait(
            lambda: bool(job.started or job.refused or job.exit),
            deadline,
            "the guest does not start the command",
        )

    def wait_input(self, job: Job, deadline: Deadline) -> None:
        """Wait until input can be sent to the job, or it ended."""
        self._wait(
            lambda: bool(job.input_credit > 0 or job.exit or job.refused),
            deadline,
            "the command does not read its input",
        )

    def consumed(self, job: Job, length: int) -> None:
        """Tell that output was taken, so that the job may send more."""
        with self._changed:
            job.owed += length
            if job.owed < _CREDIT_STEP or job.exit is not None:
                return
            length, job.owed = job.owed, 0
        self._credit(job, length)

    def ask(self, type: FrameType, payload: bytes, deadline: Deadline) -> tuple[Frame, int, int]:  # noqa: A002
        """Send a request that has one answer; return it and host times around the exchange."""
        with self._changed:
            self._last_id += 1
            id = self._last_id  # noqa: A001
            self._answers[id] = None
        try:
            sent = time.monotonic_ns()
            self._send(type, id, payload)
            self._wait(
                lambda: self._answers[id] is not None, deadline, "the guest's agent does not answer"
            )
            answer = self._answers[id]
            assert answer is not None
            return answer[0], sent, answer[1]
        finally:
            with self._changed:
                del self._answers[id]

    # --- waiting ----------------------------------------------------------------------------

    def _wait(self, ready: Callable[[], bool], deadline: Deadline, what: str) -> None:
        began = time.monotonic()
        with self._changed:
            while not ready():
                if self._lost is not None:
                    break
                left = self._remaining(deadline, began)
                if left <= 0:
                    raise DeadlineExpired(what)
                self._changed.wait(min(left, threading.TIMEOUT_MAX))
            else:
                return
        raise self._explain(self._lost)  # outside the lock: it may look at the guest

    def _remaining(self, deadline: Deadline, began: float) -> float:
        left = deadline.remaining()
        if left == math.inf or self._patience == math.inf:
            return left
        return min(left, max(began, self._hurried_at) + self._patience - time.monotonic())

    # --- the thread that moves bytes --------------------------------------------------------

    def _send(self, type: FrameType, id: int, payload: bytes) -> None:  # noqa: A002
        with self._changed:
            if self._lost is None:
                self._outgoing += encode(self._session, type, id, payload)
                self._flush()
                if not self._outgoing:
                    return
        self._poke()

    def _credit(self, job: Job, length: int) -> None:
        if length:
            self._send(FrameType.CREDIT, job.id, struct.pack("<I", length))

    def _poke(self) -> None:
        with self._changed:
            if self._wake >= 0:
                os.eventfd_write(self._wake, 1)

    def _flush(self) -> None:
        """Send what can be sent now; the lock is held."""
        while self._outgoing:
            try:
                sent = self._sock.send(self._outgoing[:_RECEIVE], socket.MSG_NOSIGNAL)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                self._lose(f"the agent's channel broke: {error.strerror}")
                return
            del self._outgoing[:sent]

    def _lose(self, reason: str) -> None:
        if self._lost is None:
            self._lost = reason
        self._outgoing.clear()
        self._changed.notify_all()

    def _move_bytes(self) -> None:
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        try:
            while self._lost is None:
                with self._changed:
                    self._flush()
                    waiting = bool(self._outgoing)
                poll.register(self._sock, select.POLLIN | (select.POLLOUT if waiting else 0))
                poll.poll()
                with suppress(BlockingIOError):
                    os.eventfd_read(self._wake)
                self._receive()
        finally:
            with self._changed:
                self._sock.close()
                os.close(self._wake)
                self._wake = -1

    def _receive(self) -> None:
        try:
            data = self._sock.recv(_RECEIVE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            data, why = b"", f"the agent's channel broke: {error.strerror}"
        else:
            why = "the agent's channel was closed from the other side"
        now = time.monotonic_ns()
        with self._changed:
            if not data:
                self._lose(why)
                return
            self._take(data, now)
            self._changed.notify_all()

    def _take(self, data: bytes, now: int) -> None:
        if not self._welcome:
            self._reader.hold(data)
            if self._reader.holds(_READY):  # it may have been born too late for our greeting
                self._hello()
                self._poke()
            if not self._reader.skip_to(self._welcome_start):
                return
            data = b""
        try:
            for frame in self._reader.feed(data):
                self._dispatch(frame, now)
        except Malformed:
            self._restart_session("the agent's stream is torn")

    def _restart_session(self, reason: str) -> None:
        """Begin anew with an agent that was itself begun anew; the jobs of the old one are gone."""
        for job in self._jobs.values():
            job.refused = job.refused or -1
        self._jobs.clear()
        self._reader = FrameReader()
        self._new_session()
        self._hello()
        self._poke()
        self.restarted = reason

    def _dispatch(self, frame: Frame, now: int) -> None:
        if frame.type == FrameType.READY:
            self._restart_session("the guest's agent was started anew")
            return
        if frame.session != self._session:
            return
        if frame.type == FrameType.WELCOME:
            self._welcome = True
        elif frame.type == FrameType.PONG or (
            frame.type == FrameType.DONE and frame.id in self._answers
        ):
            if frame.id in self._answers:
                self._answers[frame.id] = (frame, now)
        elif job := self._jobs.get(frame.id):
            self._dispatch_to(job, frame)

    def _dispatch_to(self, job: Job, frame: Frame) -> None:
        match frame.type:
            case FrameType.STARTED:
                job.started = True
            case FrameType.OUT | FrameType.ERR:
                if job.abandoned:
                    self._outgoing += encode(
                        self._session,
                        FrameType.CREDIT,
                        job.id,
                        struct.pack("<I", len(frame.payload)),
                    )
                else:
                    job.chunks.append((FrameType(frame.type), frame.payload))
            case FrameType.CREDIT:
                job.input_credit += struct.unpack("<I", frame.payload)[0]
            case FrameType.DONE:
                job.refused = struct.unpack("<I", frame.payload)[0]
                del self._jobs[job.id]
            case FrameType.EXIT:
                began, ended, status = struct.unpack("<QQI", frame.payload)
                job.exit = Exit(status, began, ended)
                del self._jobs[job.id]


def refusal(job: Job) -> GuestError:
    """Return the error for a job that never became a child, or whose agent was lost."""
    if job.refused == -1:
        return TransportError("the guest's agent was started anew; the command's fate is unknown")
    return GuestError(f"the guest could not start the command: {os.strerror(job.refused)}")
