"""What the console and the monitor say, turned into timeline events as it comes."""

from __future__ import annotations

import threading
from collections.abc import Callable

from lpharness.console import Classifier, Finding
from lpharness.guests.contract import ConsoleLine, Guest, MonitorEvent
from lpharness.timeline.events import ConsoleFound, GuestNotified
from lpharness.timeline.recorder import Recorder


class ConsoleListener:
    """Classifies a guest's console, what it said before the listener came included."""

    def __init__(
        self,
        guest: Guest,
        recorder: Recorder,
        heard: Callable[[list[Finding]], None] = lambda _: None,
    ) -> None:
        """Listen from now on.

        Args:
            guest: whose console.
            recorder: told of each finding.
            heard: called for each line with what it completed; from the console's thread.
        """
        self._guest = guest
        self._recorder = recorder
        self._heard = heard
        self._classifier = Classifier()
        self._lock = threading.Lock()
        self._seen = 0
        guest.on_console(self._on_line)
        self._catch_up()

    def close(self) -> None:
        """Take what is still to come of a line that never ended."""
        self._catch_up()
        with self._lock:
            self._record(self._classifier.finish())

    def _on_line(self, line: ConsoleLine) -> None:
        del line
        self._catch_up()

    def _catch_up(self) -> None:
        with self._lock:
            lines = self._guest.console[self._seen :]
            self._seen += len(lines)
            for line in lines:
                findings = self._classifier.feed(line.text.encode() + b"\n")
                self._record(findings)
                self._heard(findings)

    def _record(self, findings: list[Finding]) -> None:
        for finding in findings:
            self._recorder.add(
                ConsoleFound(
                    host_ns=self._recorder.now(),
                    name=finding.name,
                    severity=finding.severity,
                    line=finding.line,
                    text=finding.text,
                )
            )


class MonitorListener:
    """Records the machine monitor's events."""

    def __init__(self, guest: Guest, recorder: Recorder) -> None:
        self._guest = guest
        self._recorder = recorder
        self._lock = threading.Lock()
        self._seen = 0
        guest.on_monitor(self._on_event)
        self._catch_up()

    def close(self) -> None:
        """Take what came last."""
        self._catch_up()

    def _on_event(self, event: MonitorEvent) -> None:
        del event
        self._catch_up()

    def _catch_up(self) -> None:
        with self._lock:
            events = self._guest.monitor_events[self._seen :]
            self._seen += len(events)
            for event in events:
                self._recorder.add(
                    GuestNotified(
                        host_ns=event.host_ns - self._recorder.began_ns,
                        name=event.name,
                        data=event.data,
                    )
                )
