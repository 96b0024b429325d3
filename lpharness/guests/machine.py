"""One QEMU process with its monitor, console and agent, and nothing of it in the file system."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Literal

from lpharness.base.deadline import Deadline
from lpharness.base.errors import (
    DeadlineExpired,
    GuestDied,
    GuestError,
    LpharnessError,
    TransportError,
)
from lpharness.guests.agent import AgentTransport, Channel
from lpharness.guests.condition import DEAD, Observations, judge
from lpharness.guests.console_log import ConsoleLog, ConsoleReader
from lpharness.guests.contract import Condition, GuestSpec, MonitorEvent
from lpharness.guests.monitor import Monitor, call_on_exit, shutdown_reason
from lpharness.guests.process import Child
from lpharness.guests.qemu_command import Wiring, command
from lpharness.guests.registers import Cpu, deaf, parse

_LOOKS = 8
_BETWEEN_LOOKS_S = 0.15
_MONITOR_SECONDS = 3.0
_AGENT_SECONDS = 3.0

EventListener = Callable[[MonitorEvent], None]


class Machine:
    """A QEMU process and what is known of it; `close` ends it."""

    def __init__(
        self,
        spec: GuestSpec,
        accelerator: str,
        *,
        console_log: Path | None = None,
        memory: str = "memory-backend-ram",
        extra: Sequence[str] = (),
        pass_fds: Sequence[int] = (),
    ) -> None:
        """Start QEMU, without waiting for anything.

        Args:
            spec: the guest.
            accelerator: ``tcg`` or ``kvm``.
            console_log: file for the console's raw bytes.
            memory: the memory backend, see `Wiring`.
            extra: further words for QEMU.
            pass_fds: descriptors that ``extra`` speaks of.

        Raises:
            HostError: QEMU cannot be started, or ``console_log`` not written.
        """
        self.console = ConsoleLog(console_log)
        self._monitor_lock = threading.Lock()
        self._events: list[MonitorEvent] = []
        self._listeners: list[EventListener] = []
        self._event_came = threading.Condition()
        self._queue: SimpleQueue[MonitorEvent | str | None] = SimpleQueue()
        self._closing = False

        ours, theirs = zip(*(socket.socketpair() for _ in range(3)), strict=True)
        fds = [sock.fileno() for sock in theirs]
        wiring = Wiring(
            monitor=f"socket,fd={fds[0]}",
            console=f"socket,fd={fds[1]}",
            agent=f"socket,fd={fds[2]}",
            memory=memory,
        )
        try:
            words = [*command(spec, accelerator, wiring), *extra]
            self.child = Child(words, pass_fds=[*fds, *pass_fds])
        except BaseException:
            for sock in ours:
                sock.close()
            self.console.close()
            raise
        finally:
            for sock in theirs:
                sock.close()
        self._monitor_socket, console_socket, agent_socket = ours
        self._reader = ConsoleReader(console_socket, self.console)
        self.channel = Channel(agent_socket, explain=self._explain)
        self.transport = AgentTransport(self.channel, diagnose=self.condition)
        self._monitor = Monitor(self._queue.put)
        call_on_exit(self.child.pid, lambda: self._queue.put("QEMU has ended"))
        threading.Thread(target=self._handle_events, name="lph-events", daemon=True).start()

    def connect(self, deadline: Deadline) -> None:
        """Open the monitor's session.

        Raises:
            GuestError: QEMU ended instead, or did not answer; the message has its own words.
        """
        try:
            self._monitor.connect(self._monitor_socket, deadline)
        except GuestError as error:
            self.child.exit_status(1.0)
            said = self.child.complaint()
            raise GuestError(f"QEMU did not come up: {said or error}") from error

    def execute(self, name: str, deadline: Deadline, **arguments: Any) -> Any:
        """Execute a monitor command: see `Monitor.execute`."""
        return self._monitor.execute(name, deadline, **arguments)

    def hand_over(self, name: str, descriptor: int, deadline: Deadline) -> None:
        """Give QEMU a copy of an open file: see `Monitor.hand_over`."""
        self._monitor.hand_over(name, descriptor, deadline)

    # --- events -----------------------------------------------------------------------------

    @property
    def events(self) -> Sequence[MonitorEvent]:
        """The monitor's events so far."""
        with self._event_came:
            return tuple(self._events)

    def on_event(self, listener: EventListener) -> None:
        """Call ``listener`` with each further event, from a thread of this machine."""
        with self._event_came:
            self._listeners.append(listener)

    def wait_event(
        self,
        wanted: Callable[[MonitorEvent], bool],
        deadline: Deadline,
        what: str,
        *,
        skip: int = 0,
    ) -> MonitorEvent:
        """Wait for an event, past ones but for the first ``skip`` included.

        Raises:
            DeadlineExpired: it did not come.
            GuestError: QEMU ended.
        """
        with self._event_came:
            while True:
                for event in self._events[skip:]:
                    if wanted(event):
                        return event
                if self.child.exit_status() is not None:
                    raise GuestError(f"QEMU ended: {self.child.complaint() or 'without a word'}")
                if deadline.expired:
                    raise DeadlineExpired(f"ran out of time: {what}")
                self._event_came.wait(min(deadline.remaining(), 1.0))

    def _handle_events(self) -> None:
        while (item := self._queue.get()) is not None:
            if isinstance(item, str):
                self.child.exit_status(2.0)
                with self._event_came:
                    self._event_came.notify_all()
                self.channel.fail(item)
                continue
            with self._event_came:
                self._events.append(item)
                self._event_came.notify_all()
                listeners = tuple(self._listeners)
            if item.name in ("SHUTDOWN", "GUEST_PANICKED"):
                self.channel.fail(f"the monitor told {item.name} {item.data}")
            for listener in listeners:
                listener(item)

    # --- condition --------------------------------------------------------------------------

    def condition(self) -> tuple[Condition, str]:
        """Tell how the guest is now and what says so, within a few seconds."""
        return judge(self._observe())

    def _observe(self) -> Observations:
        lost = self.channel.lost or ""
        events = self.events
        panicked = any(event.name == "GUEST_PANICKED" for event in events)
        shutdown = shutdown_reason(events)
        # A broken channel is often the first sign of QEMU's end; its death follows at once.
        ending = bool(lost) and not panicked and not shutdown
        status = self.child.exit_status(1.0 if ending else 0.0)
        run_state, ping, fresh_command = "", False, False
        if status is None and not panicked and not shutdown and not self.child.stopped:
            run_state = self._run_state()
            if run_state == "running" and not lost:
                ping, fresh_command = self.transport.answers(Deadline.after(_AGENT_SECONDS))
        silent = run_state == "running" and not lost and not ping
        process, process_detail = self._process(status)
        return Observations(
            process=process,
            process_detail=process_detail,
            panicked=panicked or any(event.name == "GUEST_PANICKED" for event in self.events),
            shutdown=shutdown or shutdown_reason(self.events),
            run_state=run_state,
            findings=self.console.findings,
            channel_lost=lost,
            answers_ping=ping,
            answers_command=fresh_command,
            deaf=deaf(self._looks()) if silent else "",
            overran=self.transport.overran,
        )

    def _process(self, status: int | None) -> tuple[Literal["running", "stopped", "gone"], str]:
        status = self.child.exit_status() if status is None else status
        if status is not None:
            return "gone", self._last_words(status)
        if self.child.stopped:
            return "stopped", f"QEMU (pid {self.child.pid}) is stopped by a signal"
        return "running", ""

    def _looks(self) -> list[list[Cpu]]:
        """Look at the CPUs' registers a few times; empty where the monitor does not tell."""
        looks = []
        for _ in range(_LOOKS):
            try:
                text = self.execute(
                    "human-monitor-command",
                    Deadline.after(_MONITOR_SECONDS),
                    command_line="info registers -a",
                )
            except GuestError:
                return []
            looks.append(parse(str(text)))
            time.sleep(_BETWEEN_LOOKS_S)
        return looks

    def _run_state(self) -> str:
        try:
            return str(self.execute("query-status", Deadline.after(_MONITOR_SECONDS))["status"])
        except GuestError:
            return ""

    def _last_words(self, status: int) -> str:
        said = self.child.stderr().splitlines()
        how = f"exit status {status}"
        if status < 0:
            with suppress(ValueError):
                how = signal.Signals(-status).name
        return f"QEMU ended by {how}" + (f": {said[-1]}" if said else "")

    def _explain(self, reason: str) -> LpharnessError:
        """Make the error for a caller whose channel failed."""
        if self._closing:
            return TransportError(reason)
        condition, detail = self.condition()
        if condition in DEAD:
            return GuestDied(f"the guest is gone ({condition}): {detail}", condition=condition)
        return TransportError(f"{reason}; the guest is {condition}: {detail}")

    # --- the end ----------------------------------------------------------------------------

    def close(self) -> None:
        """End QEMU and let go of everything; idempotent."""
        if self._closing:
            return
        self._closing = True
        self._monitor.close()  # before QEMU's end, which it would complain of
        self._monitor_socket.close()
        self.child.end()
        self.channel.close()
        self._reader.close()
        self._queue.put(None)


def how_far(machine: Machine, began: float) -> str:
    """Say in a line how far a guest came that did not answer."""
    condition, detail = machine.condition()
    lines = machine.console.lines
    last = f"its last of {len(lines)} console lines: {lines[-1].text}" if lines else "no console"
    return f"{condition} after {time.monotonic() - began:.1f} s ({detail}); {last}"
