"""A process in the guest that lives, and holds a TCP connection, through everything."""

from __future__ import annotations

import queue

import msgspec

from lpharness.base.deadline import Deadline
from lpharness.base.errors import DeadlineExpired, GuestError, TransportError
from lpharness.guests.contract import Guest


class Witness:
    """``/lph/watch witness``: started before the patch, asked after it."""

    def __init__(self, guest: Guest, deadline: Deadline) -> None:
        self._answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._partial = b""
        self._asked = 0
        self._running = guest.transport.stream(
            ["/lph/watch", "witness"], on_stdout=self._on_output, deadline=Deadline.never()
        )
        said = msgspec.json.decode(self._answer(deadline))
        self.pid: int = said["pid"]

    def connection(self, deadline: Deadline) -> tuple[bool, str]:
        """Send a line through the connection; return whether it came back, or what happened."""
        self._asked += 1
        wanted = f"still here {self._asked}"
        try:
            self._running.send(f"{wanted}\n".encode())
            said = msgspec.json.decode(self._answer(deadline.sooner(10)))
        except (DeadlineExpired, TransportError) as error:
            return False, str(error)
        if said["errno"]:
            return False, f"errno {said['errno']}"
        return said["line"] == wanted, f"echoed {said['line']!r}"

    def close(self, deadline: Deadline) -> None:
        """Let the witness go."""
        try:
            self._running.close_input()
            self._running.wait(deadline)
        except GuestError:
            pass  # it has said all that it was asked

    def _answer(self, deadline: Deadline) -> bytes:
        try:
            return self._answers.get(timeout=min(deadline.remaining(), 3600))
        except queue.Empty:
            raise DeadlineExpired("the witness process does not answer") from None

    def _on_output(self, data: bytes) -> None:
        *lines, self._partial = (self._partial + data).split(b"\n")
        for line in lines:
            self._answers.put(line)
