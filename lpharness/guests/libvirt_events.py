"""What libvirt tells of a domain, in QMP's words."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from lpharness.guests.contract import MonitorEvent
from lpharness.guests.libvirt_connection import Connection

_STOPPED_DETAILS = ("shutdown", "destroyed", "crashed", "migrated", "saved", "failed", "snapshot")
"""Of ``virDomainEventStoppedDetailType``, in its order."""


class DomainEvents:
    """A domain's events, kept with the host's time.

    libvirt hands on QEMU's own events, names and data (``virConnectDomainQemuMonitorEventRegister``
    in libvirt-qemu.h), which tell more than libvirt's: why a machine shut down, above all. The end
    of the domain itself, which QEMU may not live to tell, is libvirt's lifecycle event.
    """

    def __init__(self, connection: Connection, domain: Any) -> None:
        """Begin to listen; do so while the domain is still paused."""
        import libvirt_qemu

        self._connection, self._qemu = connection, libvirt_qemu
        self._lock = threading.Lock()
        self._events: list[MonitorEvent] = []
        self._listeners: list[Callable[[MonitorEvent], None]] = []
        self.ended = threading.Event()
        self.domain_ended = False
        """Whether libvirt told that the domain itself ended; ``ended`` is set with it, and when
        nobody can tell any more."""
        self.end_detail = ""
        """How the domain ended: libvirt's word, for example ``failed`` when QEMU was killed."""
        library = connection.library
        with connection.explained("tell of a domain's events"):
            self._lifecycle = connection.handle.domainEventRegisterAny(
                domain, library.VIR_DOMAIN_EVENT_ID_LIFECYCLE, self._on_lifecycle, None
            )
            self._monitor = libvirt_qemu.qemuMonitorEventRegister(
                connection.handle, domain, None, self._on_monitor, None, 0
            )
        connection.on_lost(self._on_lost)

    @property
    def seen(self) -> Sequence[MonitorEvent]:
        """The events so far."""
        with self._lock:
            return tuple(self._events)

    def listen(self, listener: Callable[[MonitorEvent], None]) -> None:
        """Call ``listener`` with each further event, from libvirt's event thread."""
        with self._lock:
            self._listeners.append(listener)

    def _on_monitor(
        self, _c: Any, _d: Any, name: str, _s: int, _us: int, data: str | None, _o: Any
    ) -> None:
        event = MonitorEvent(host_ns=time.monotonic_ns(), name=name, data=data or "")
        with self._lock:
            self._events.append(event)
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener(event)

    def _on_lifecycle(self, _c: Any, _d: Any, event: int, detail: int, _o: Any) -> None:
        if event == self._connection.library.VIR_DOMAIN_EVENT_STOPPED:
            known = detail < len(_STOPPED_DETAILS)
            self.end_detail = _STOPPED_DETAILS[detail] if known else f"detail {detail}"
            self.domain_ended = True
            self.ended.set()

    def _on_lost(self, reason: str) -> None:
        self.end_detail = reason
        self.ended.set()

    def close(self) -> None:
        """Stop listening."""
        with suppress(self._connection.library.libvirtError):
            self._connection.handle.domainEventDeregisterAny(self._lifecycle)
        with suppress(self._connection.library.libvirtError):
            self._qemu.qemuMonitorEventDeregister(self._connection.handle, self._monitor)
