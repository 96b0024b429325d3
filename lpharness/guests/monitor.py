"""QEMU's machine monitor, spoken through ``qemu.qmp`` in a thread, for synchronous callers."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from typing import Any, TypeVar

from lpharness.base.deadline import Deadline
from lpharness.base.errors import DeadlineExpired, GuestError
from lpharness.guests.contract import MonitorEvent

logging.getLogger("qemu.qmp").addHandler(logging.NullHandler())
logging.getLogger("qemu.qmp").propagate = False  # our errors say what matters

T = TypeVar("T")
_loop_lock = threading.Lock()
_loop: tuple[int, asyncio.AbstractEventLoop] | None = None


def _event_loop() -> asyncio.AbstractEventLoop:
    """Return the event loop that all monitors of this process share."""
    global _loop
    with _loop_lock:
        if _loop is None or _loop[0] != os.getpid():  # a fork has no threads
            _loop = (os.getpid(), asyncio.new_event_loop())
            threading.Thread(target=_loop[1].run_forever, name="lph-qmp", daemon=True).start()
        return _loop[1]


class MonitorGone(GuestError):
    """The monitor's connection is closed: QEMU has ended."""


class Monitor:
    """A QMP session over a socket that was open before QEMU began."""

    def __init__(self, on_event: Callable[[MonitorEvent], None]) -> None:
        """Make an unconnected monitor.

        ``on_event`` is called for each event, in order, from the thread that serves all monitors:
        it must only hand the event on.
        """
        from qemu.qmp import EventListener, QMPClient

        self._loop = _event_loop()
        self._client = QMPClient("lpharness")
        self._events = EventListener()
        self._client.register_listener(self._events)
        self._on_event = on_event
        self._follower: asyncio.Task[None] | None = None

    def connect(self, sock: socket.socket, deadline: Deadline) -> None:
        """Take over ``sock``, negotiate, and begin to follow the events.

        Raises:
            MonitorGone: QEMU ended instead.
            DeadlineExpired: it did not answer.
        """
        self._call(self._connect(sock), deadline, "QEMU's monitor does not answer")

    def execute(self, command: str, deadline: Deadline, **arguments: Any) -> Any:
        """Execute a QMP command; underscores in arguments become dashes.

        Raises:
            GuestError: QEMU refused; `MonitorGone` if it has ended.
            DeadlineExpired: it did not answer in time.
        """
        named = {name.replace("_", "-"): value for name, value in arguments.items()}
        return self._call(
            self._client.execute(command, named or None),
            deadline,
            f"QEMU's monitor does not answer {command}",
        )

    def hand_over(self, name: str, descriptor: int, deadline: Deadline) -> None:
        """Give QEMU a copy of an open file, to be used in commands as ``fd:name``."""
        self._call(
            self._hand_over(name, descriptor), deadline, "QEMU's monitor does not take a descriptor"
        )

    async def _hand_over(self, name: str, descriptor: int) -> None:
        self._client.send_fd_scm(descriptor)
        await self._client.execute("getfd", {"fdname": name})

    def close(self) -> None:
        """Drop the connection; idempotent."""
        try:
            self._call(self._disconnect(), Deadline.after(5), "QEMU's monitor does not close")
        except GuestError:
            return

    async def _connect(self, sock: socket.socket) -> None:
        self._follower = asyncio.ensure_future(self._follow())
        await self._client.connect(sock)

    async def _follow(self) -> None:
        while True:
            message = await self._events.get()
            data = message.get("data")
            self._on_event(
                MonitorEvent(
                    host_ns=time.monotonic_ns(),
                    name=str(message["event"]),
                    data=json.dumps(data) if data else "",
                )
            )

    async def _disconnect(self) -> None:
        from qemu.qmp import QMPError

        with suppress(QMPError, EOFError, OSError):  # it may be gone already
            await self._client.disconnect()
        if self._follower is not None:
            self._follower.cancel()

    def _call(self, work: Coroutine[Any, Any, T], deadline: Deadline, what: str) -> T:
        from qemu.qmp import ExecInterruptedError, ExecuteError, QMPError, StateError

        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(min(deadline.remaining(), threading.TIMEOUT_MAX))
        except FutureTimeoutError:
            future.cancel()
            raise DeadlineExpired(what) from None
        except ExecuteError as error:
            raise GuestError(f"QEMU refused: {error}") from error
        except (ExecInterruptedError, StateError, QMPError, EOFError, OSError) as error:
            raise MonitorGone("QEMU's monitor is gone") from error


def call_on_exit(pid: int, callback: Callable[[], None]) -> None:
    """Call ``callback`` when the process ends, from the thread that serves all monitors."""
    loop = _event_loop()
    handle = os.pidfd_open(pid)

    def ended() -> None:
        loop.remove_reader(handle)
        os.close(handle)
        callback()

    loop.call_soon_threadsafe(loop.add_reader, handle, ended)


def shutdown_reason(events: Sequence[MonitorEvent]) -> str:
    """Return the ``reason`` of the first ``SHUTDOWN`` event; empty when there was none.

    The reasons are QEMU's ``ShutdownCause`` (``qapi/run-state.json``): ``guest-reset``,
    ``guest-shutdown``, ``guest-panic``, ``host-qmp-quit``, ``host-signal``, … A reset by the
    watchdog is the guest's own to QEMU, and told apart here: ``watchdog``.
    """
    barked = False
    for event in events:
        barked = barked or event.name == "WATCHDOG"
        if event.name == "SHUTDOWN":
            reason = str(json.loads(event.data).get("reason", "unknown")) if event.data else ""
            return "watchdog" if barked and reason == "guest-reset" else reason or "unknown"
    return ""
