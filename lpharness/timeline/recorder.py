"""Writing a timeline as it happens, and reading one back."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import BinaryIO, TypeVar

import msgspec

from lpharness.base.errors import HostError, InputError
from lpharness.timeline.events import AnyEvent, Event

_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)

E = TypeVar("E", bound=Event)


class Recorder:
    """Collects events in memory and, line by line, in ``timeline.jsonl``.

    Safe to call from several threads: the console, the workloads and the trial all write here.
    """

    def __init__(self, file: BinaryIO | None = None) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._owner = threading.get_ident()
        self._broken: OSError | None = None
        self._began_ns = time.monotonic_ns()
        self.events: list[Event] = []

    @property
    def began_ns(self) -> int:
        """``CLOCK_MONOTONIC`` of the trial's beginning: zero of every event's ``host_ns``."""
        return self._began_ns

    def now(self) -> int:
        """Return the host's nanoseconds since the trial began."""
        return time.monotonic_ns() - self._began_ns

    def add(self, event: Event) -> None:
        """Append an event; it is on its way to the disk when this returns.

        Raises:
            HostError: the file cannot be written any more. Only who made the recorder is told, with
                his next event: he tells the trial, and others merely listen beside him.
        """
        with self._lock:
            self.events.append(event)
            if self._file is not None and self._broken is None:
                try:
                    self._file.write(_ENCODER.encode(event) + b"\n")
                    self._file.flush()
                except OSError as error:
                    self._broken = error
        if self._broken is not None and threading.get_ident() == self._owner:
            raise HostError(
                f"cannot write the timeline: {self._broken.strerror}", hint="free some space"
            ) from self._broken

    def last(self, kind: type[E]) -> E | None:
        """Return the latest event of a kind."""
        with self._lock:
            events = list(self.events)
        return next((event for event in reversed(events) if isinstance(event, kind)), None)


def read_timeline(path: Path) -> list[Event]:
    """Read a timeline; a torn last line (the writer was killed) is left out.

    Raises:
        InputError: a line is not an event of this schema; names the file and the line.
    """
    events: list[Event] = []
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        try:
            events.append(_DECODER.decode(line))
        except msgspec.MsgspecError as error:
            if number == len(lines):
                break
            raise InputError(f"{path}:{number}: not an event: {error}") from error
    return events
