"""An SSH connection that serves one command at a time, and whose channels we close ourselves.

Two faults are kept away here. Both reach the user as paramiko's "Channel closed", or as a
connection that ends, now and then, when a short command follows another:

1. dropbear before 2024.86 (Debian 12 has 2022.83) closes a channel that is open but has not got
   its exec request yet, if a child of any other channel ends just then: ``check_close()`` takes
   "no process yet" for "the process has ended" (dropbear commit 71521d1b, issue 321). Hence one
   command at a time on a connection, and the next only after the server has closed the last one's
   channel, by which time it has reaped the child. `lpharness.guests.ssh` has a pool of connections.

2. A channel is over when each side has sent CLOSE, and then its number may name another channel.
   paramiko's own thread answers the server's CLOSE as soon as it reads it, while a thread of ours
   may be just about to send end-of-file, data or a window adjustment that it prepared a moment
   before (paramiko sends without the channel's lock, or exchanging keys anew would deadlock: see
   ``Channel._send``). What arrives late hits nobody, and dropbear ends the connection ("unknown
   channel"), or hits the next command's channel, which dropbear then closes. Hence paramiko's
   thread only notes the server's CLOSE here, and `CommandChannel.close` answers it, once no other
   thread of ours can send anything on that channel.
"""

from __future__ import annotations

import logging
import select
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import paramiko
from paramiko.common import (
    MSG_CHANNEL_CLOSE,
    MSG_CHANNEL_FAILURE,
    cMSG_CHANNEL_CLOSE,
    cMSG_CHANNEL_REQUEST,
)

from lpharness.base.deadline import Deadline
from lpharness.base.errors import DeadlineExpired, TransportError

logging.getLogger("paramiko").addHandler(logging.NullHandler())
logging.getLogger("paramiko").propagate = False  # our errors say what matters

_CHUNK = 1 << 16
_WATCH_SECONDS = 1.0
_WINDOW = 1 << 20
"""Bytes of output that the server may send ahead of us, for each command."""

# Of what dropbear 2022.83 and paramiko share, nothing was measurably cheaper to emulate (see
# docs/transports.md).
_KEX = ("curve25519-sha256@libssh.org",)
_CIPHERS = ("aes128-ctr",)
_MACS = ("hmac-sha2-256",)


class _Ends:
    """Who has said CLOSE on a channel; guarded by the channel's lock."""

    def __init__(self) -> None:
        self.theirs = False
        self.ours = False
        self.refused = False
        self.over = threading.Event()


def _note_close(channel: Any, _message: Any) -> None:
    ends = channel.transport.ends_of(channel)
    with channel.lock:
        ends.theirs = True
        if not channel.closed:
            channel._set_closed()
        forgotten = ends.ours
    ends.over.set()
    if forgotten:
        channel.transport.forget(channel)


def _note_refusal(channel: Any, _message: Any) -> None:
    ends = channel.transport.ends_of(channel)
    with channel.lock:
        ends.refused = True
        if not channel.closed:
            channel._set_closed()
    ends.over.set()


class SshConnection(paramiko.Transport):
    """paramiko's transport, with the two answers changed that the module tells of."""

    _preferred_kex = _KEX
    _preferred_ciphers = _CIPHERS
    _preferred_macs = _MACS
    _preferred_keys = ("ssh-ed25519",)
    _channel_handler_table = {  # noqa: RUF012 - as in the base class
        **paramiko.Transport._channel_handler_table,  # type: ignore[attr-defined]
        MSG_CHANNEL_CLOSE: _note_close,
        MSG_CHANNEL_FAILURE: _note_refusal,
    }

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock, default_window_size=_WINDOW)
        self._ends: dict[int, _Ends] = {}
        self._ends_lock = threading.Lock()

    def ends_of(self, channel: Any) -> _Ends:
        """Return what is known of a channel's end."""
        with self._ends_lock:
            return self._ends.setdefault(channel.chanid, _Ends())

    def forget(self, channel: Any) -> None:
        """Drop a channel that both sides have closed."""
        with self._ends_lock:
            self._ends.pop(channel.chanid, None)
        self._unlink_channel(channel.chanid)  # type: ignore[attr-defined]


Sink = Callable[[bytes], None]


class CommandChannel:
    """One command on a channel of its own."""

    def __init__(self, connection: SshConnection, command: str, deadline: Deadline) -> None:
        """Open a channel and ask for the command, without waiting for the answer.

        Raises:
            DeadlineExpired: the server opened no channel in time.
            TransportError: the connection is gone.
        """
        self.connection = connection
        self._connection: Any = connection
        try:
            self._channel: Any = connection.open_session(
                timeout=max(0.001, min(deadline.remaining(), threading.TIMEOUT_MAX))
            )
        except (paramiko.SSHException, OSError, EOFError) as error:
            if deadline.expired and connection.is_active():
                raise DeadlineExpired("the guest's SSH server opens no channel") from error
            raise TransportError(f"the SSH connection broke: {error or 'it ended'}") from error
        self._ends = connection.ends_of(self._channel)
        self._writer: threading.Thread | None = None
        self._poll = select.poll()
        self._poll.register(self._channel.fileno(), select.POLLIN)
        self._send(cMSG_CHANNEL_REQUEST, b"exec", True, command.encode())

    def _send(self, kind: bytes, *fields: bytes | bool) -> None:
        message = paramiko.Message()
        message.add_byte(kind)
        message.add_int(self._channel.remote_chanid)
        for field in fields:
            if isinstance(field, bool):
                message.add_boolean(field)
            else:
                message.add_string(field)
        with suppress(OSError, EOFError, paramiko.SSHException):  # seen by whoever reads
            self._connection._send_user_message(message)

    # --- input ------------------------------------------------------------------------------

    def write_in_background(self, write: Callable[[Callable[[bytes], None]], None]) -> None:
        """Call ``write(send)`` in a thread, then end the command's input."""

        def work() -> None:
            with suppress(OSError, EOFError, paramiko.SSHException):
                write(self.send)
                self.end_input()

        self._writer = threading.Thread(target=work, name="lph-ssh-input", daemon=True)
        self._writer.start()

    def send(self, data: bytes) -> None:
        """Send input; waits while the command does not read.

        Raises:
            OSError: the channel is closed.
        """
        self._channel.sendall(data)

    def end_input(self) -> None:
        """Send the input's end."""
        self._channel.shutdown_write()

    # --- output -----------------------------------------------------------------------------

    def read(
        self,
        on_stdout: Sink,
        on_stderr: Sink,
        deadline: Deadline,
        watch: Callable[[], None] = lambda: None,
    ) -> None:
        """Hand on output until the server closed the channel.

        ``watch`` is called now and then, to raise if the guest has died: a machine that stands
        still sends nothing, and TCP does not mind.

        Raises:
            DeadlineExpired: it did not.
        """
        channel = self._channel
        while True:
            closed = channel.closed  # before the draining: nothing comes after it
            while channel.recv_ready():
                on_stdout(channel.recv(_CHUNK))
            while channel.recv_stderr_ready():
                on_stderr(channel.recv_stderr(_CHUNK))
            if closed:
                return
            watch()
            if not self._wait(deadline):
                raise DeadlineExpired("the command still runs")

    def _wait(self, deadline: Deadline) -> bool:
        left = min(deadline.remaining(), _WATCH_SECONDS)
        if not self._channel.eof_received:
            milliseconds = int(left * 1000) + 1
            return bool(self._poll.poll(milliseconds)) or not deadline.expired
        # From its end on the output is "ready" for ever; the exit status and CLOSE follow.
        if self._channel.status_event.wait(left) and not self._channel.closed:
            self._ends.over.wait(min(left, 0.1))
        return not deadline.expired

    def exit_status(self) -> int | None:
        """Return the exit status once `read` has returned; ``None`` if the server told none."""
        status = self._channel.exit_status
        return None if status < 0 else int(status)

    @property
    def over(self) -> bool:
        """Whether both sides have closed: the connection is ready for the next command."""
        return self._ends.theirs and self._ends.ours

    @property
    def refused(self) -> bool:
        """Whether the server would not run the command."""
        return self._ends.refused

    # --- the end ----------------------------------------------------------------------------

    def give_up(self) -> None:
        """Let whoever sends or waits for the window give up; the server is not told yet."""
        with self._channel.lock:
            if not self._channel.closed:
                self._channel._set_closed()

    def close(self) -> None:
        """Close our side, once nothing else of ours can be sent; idempotent.

        The caller sees to it that no other thread is in `send` or `end_input`.
        """
        channel = self._channel
        self.give_up()
        if self._writer is not None:
            self._writer.join()
        with channel.lock:
            if self._ends.ours:
                return
            self._ends.ours = True
            both = self._ends.theirs
        self._send(cMSG_CHANNEL_CLOSE)
        if both:
            self._connection.forget(channel)
        channel.close()  # sends nothing, since it is closed; lets go of its pipe
