"""A libvirt stream as a socket, so that whoever reads it need not know of libvirt."""

from __future__ import annotations

import os
import select
import socket
import threading
from contextlib import suppress
from typing import Any

_CHUNK = 1 << 16
_AGAIN = -2
"""What libvirt returns where a socket would raise EAGAIN."""


class StreamSocket:
    """Moves bytes between a ``virStream`` and one end of a socket pair, in a thread of its own.

    The stream must not block. One that does, read by a thread while libvirt's event loop runs,
    misses now and then that data has come, until more comes: libvirt 9.0's client lets whoever
    holds its socket queue the packet, and does not always wake the reader.
    """

    def __init__(self, library: Any, stream: Any, name: str) -> None:
        """Take over ``stream``, made with ``VIR_STREAM_NONBLOCK`` and open on something.

        Args:
            library: the ``libvirt`` module.
            stream: what ``openConsole`` or ``openChannel`` filled.
            name: for the thread's name.
        """
        self._library, self._stream = library, stream
        self.socket, self._ours = socket.socketpair()
        self._ours.setblocking(False)
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._lock = threading.Lock()
        self._armed = library.VIR_STREAM_EVENT_READABLE
        self._fired = 0
        self._closing = False
        self._done = False
        self._to_host, self._to_guest = memoryview(b""), memoryview(b"")
        stream.eventAddCallback(self._armed | self._broken, self._on_event, None)
        self._thread = threading.Thread(target=self._move, name=f"lph-{name}", daemon=True)
        self._thread.start()

    @property
    def _broken(self) -> int:
        library = self._library
        return int(library.VIR_STREAM_EVENT_ERROR | library.VIR_STREAM_EVENT_HANGUP)

    # --- libvirt's event thread --------------------------------------------------------------

    def _on_event(self, _stream: Any, events: int, _opaque: Any) -> None:
        """Note what can be done, and don't be told again until it was done."""
        with self._lock:
            if self._done:
                return
            self._fired |= events
            self._armed &= ~events
            with suppress(self._library.libvirtError):
                self._stream.eventUpdateCallback(self._armed)
            os.eventfd_write(self._wake, 1)

    # --- our thread --------------------------------------------------------------------------

    def _move(self) -> None:
        try:
            while not self._closing and self._from_guest() and self._to_guest_all():
                self._wait()
        except (OSError, self._library.libvirtError):
            pass  # one side is gone, and the other is told below
        finally:
            self._end()

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        wanted = (select.POLLOUT if self._to_host else 0) | (0 if self._to_guest else select.POLLIN)
        poll.register(self._ours, wanted)
        poll.poll()
        with suppress(BlockingIOError):
            os.eventfd_read(self._wake)

    def _from_guest(self) -> bool:
        """Hand on what came; false at the stream's end."""
        while True:
            if self._to_host:
                try:
                    sent = self._ours.send(self._to_host, socket.MSG_NOSIGNAL)
                except BlockingIOError:
                    return True
                self._to_host = self._to_host[sent:]
                continue
            if not self._took(self._library.VIR_STREAM_EVENT_READABLE | self._broken):
                return True
            data = self._stream.recv(_CHUNK)
            if data == _AGAIN:
                self._arm(self._library.VIR_STREAM_EVENT_READABLE)
            elif not data:
                return False
            else:
                self._to_host = memoryview(data)
                self._again(self._library.VIR_STREAM_EVENT_READABLE)

    def _to_guest_all(self) -> bool:
        """Hand on what is to be sent; false when the host's side closed."""
        while True:
            if self._to_guest:
                sent = self._stream.send(bytes(self._to_guest))
                if sent == _AGAIN:
                    self._arm(self._library.VIR_STREAM_EVENT_WRITABLE)
                    return True
                self._to_guest = self._to_guest[sent:]
                continue
            try:
                data = self._ours.recv(_CHUNK)
            except BlockingIOError:
                return True
            if not data:
                return False
            self._to_guest = memoryview(data)

    def _took(self, events: int) -> bool:
        """Whether one of ``events`` has fired since; forget that it has."""
        with self._lock:
            fired = self._fired & events
            self._fired &= ~events
            return bool(fired)

    def _again(self, event: int) -> None:
        with self._lock:
            self._fired |= event

    def _arm(self, event: int) -> None:
        """Ask to be told of ``event``; the stream is level-triggered, so none is missed."""
        with self._lock:
            self._armed |= event
            self._stream.eventUpdateCallback(self._armed | self._broken)

    def _end(self) -> None:
        with self._lock:
            self._done = True
            os.close(self._wake)
        with suppress(self._library.libvirtError):
            self._stream.eventRemoveCallback()
        with suppress(self._library.libvirtError):
            self._stream.abort()
        with suppress(OSError):
            self._ours.shutdown(socket.SHUT_WR)
        self._ours.close()

    def close(self) -> None:
        """Let go of the stream; what came is still in the socket. Idempotent."""
        with self._lock:
            self._closing = True
            if not self._done:
                os.eventfd_write(self._wake, 1)
        self._thread.join()

    def join(self, seconds: float) -> None:
        """Wait for the stream's end, which comes by itself when the domain has ended."""
        self._thread.join(seconds)
