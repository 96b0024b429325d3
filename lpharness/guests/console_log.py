"""A guest's kernel console as it comes: to a file, into lines, to whoever listens."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from lpharness.base.errors import HostError
from lpharness.console import Finding, classify_text
from lpharness.guests.contract import ConsoleLine

_CLASSIFIED_LINES = 20_000
"""Lines that a guest's condition is told from: its last words, not its history."""

Listener = Callable[[ConsoleLine], None]


class ConsoleLog:
    """What came from a console; fed by whoever receives it, read from any thread."""

    def __init__(self, file: Path | None = None) -> None:
        """Write the raw bytes to ``file`` too, if one is given.

        Raises:
            HostError: the file cannot be written.
        """
        self._file: BinaryIO | None = None
        if file is not None:
            try:
                self._file = file.open("wb", buffering=0)
            except OSError as error:
                raise HostError(f"cannot write {file}: {error.strerror}") from error
        self._lock = threading.Lock()
        self._partial = b""
        self._lines: list[ConsoleLine] = []
        self._listeners: list[Listener] = []
        self.last_ns = time.monotonic_ns()
        """Host ``CLOCK_MONOTONIC`` when something last came (or when the log began)."""

    @property
    def lines(self) -> Sequence[ConsoleLine]:
        """Whole lines so far."""
        with self._lock:
            return tuple(self._lines)

    @property
    def findings(self) -> Sequence[Finding]:
        """What the classifier recognises in the console so far.

        Worked out when asked for: a report that a dying kernel leaves open must count, and a
        classifier that is fed as it comes would still wait for its end.
        """
        with self._lock:
            texts = [line.text for line in self._lines[-_CLASSIFIED_LINES:]]
            texts.append(self._partial.decode(errors="replace"))
        return tuple(classify_text("\n".join(texts)))

    def on_line(self, listener: Listener) -> None:
        """Call ``listener`` with each further line, from the thread that feeds."""
        with self._lock:
            self._listeners.append(listener)

    def feed(self, data: bytes) -> None:
        """Take what came."""
        now = time.monotonic_ns()
        self._write(data)
        with self._lock:
            self.last_ns = now
            *whole, self._partial = (self._partial + data).split(b"\n")
            number = len(self._lines)
            fresh = [
                ConsoleLine(
                    number=number + at,
                    host_ns=now,
                    text=line.rstrip(b"\r").decode(errors="replace"),
                )
                for at, line in enumerate(whole, 1)
            ]
            self._lines += fresh
            listeners = tuple(self._listeners)
        for line in fresh:
            for listener in listeners:
                listener(line)

    def _write(self, data: bytes) -> None:
        """Write to the file, until it takes no more.

        That is no reason to be deaf from then on. What is missing in the file is missed by the
        checks; and the same full disk stops the trial where it writes what it must.
        """
        if self._file is None:
            return
        try:
            self._file.write(data)
        except OSError:
            self._file.close()
            self._file = None

    def close(self) -> None:
        """Take a last line without an end; close the file."""
        with self._lock:
            partial, self._partial = self._partial, b""
        if partial:
            with self._lock:
                line = ConsoleLine(
                    number=len(self._lines) + 1,
                    host_ns=self.last_ns,
                    text=partial.rstrip(b"\r").decode(errors="replace"),
                )
                self._lines.append(line)
                listeners = tuple(self._listeners)
            for listener in listeners:
                listener(line)
        if self._file is not None:
            self._file.close()
            self._file = None


class ConsoleReader:
    """Feeds a `ConsoleLog` from a socket, in a thread of its own, until the other end closes."""

    def __init__(self, sock: socket.socket, log: ConsoleLog) -> None:
        self._sock, self._log = sock, log
        self._thread = threading.Thread(target=self._read, name="lph-console", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with self._sock:
            while True:
                try:
                    data = self._sock.recv(1 << 16)
                except OSError:
                    break
                if not data:
                    break
                self._log.feed(data)
        self._log.close()

    def close(self) -> None:
        """Wait until everything that came has been taken."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RD)
        if threading.current_thread() is not self._thread:
            self._thread.join(5)
