"""The libvirt backend: guests as transient domains, on this host or another.

A domain is bound to the connection that made it (``VIR_DOMAIN_START_AUTODESTROY``): when the
harness closes it, dies, or is killed, libvirt destroys the domain, and a transient domain that is
destroyed leaves no definition.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import psutil

from lpharness.base.architecture import require_everything
from lpharness.base.cache import Cache
from lpharness.base.closing import Closing
from lpharness.base.deadline import Deadline
from lpharness.base.errors import (
    GuestDied,
    GuestError,
    GuestStartError,
    HostError,
    LpharnessError,
    TransportError,
)
from lpharness.guests.accelerator import Accelerator, choose
from lpharness.guests.agent import AgentTransport, Channel
from lpharness.guests.condition import DEAD, Observations, judge
from lpharness.guests.console_log import ConsoleLog, ConsoleReader
from lpharness.guests.contract import (
    ClockReading,
    Condition,
    ConsoleLine,
    CpuShare,
    GuestSpec,
    MonitorEvent,
    Start,
    Transport,
)
from lpharness.guests.cpu_share import ShareReader
from lpharness.guests.libvirt_connection import Connection, destroy_anew, is_local
from lpharness.guests.libvirt_console import connect_console, console_place, is_reachable
from lpharness.guests.libvirt_domain import DomainShape, domain_xml, forwarded_port
from lpharness.guests.libvirt_dump import dump
from lpharness.guests.libvirt_events import DomainEvents
from lpharness.guests.libvirt_stream import StreamSocket
from lpharness.guests.libvirt_upload import uploaded
from lpharness.guests.monitor import shutdown_reason
from lpharness.guests.qemu_command import (
    AGENT_PORT,
    check_files,
    kernel_command_line,
    memory_mb,
)

DEFAULT_URI = "qemu:///session"

_LIFECYCLE_SECONDS = 2.0
_AGENT_SECONDS = 3.0
_STREAM_SECONDS = 3.0
# virDomainState, in the words of `virsh list`
_STATES = {
    0: "no state",
    1: "running",
    2: "blocked",
    3: "paused",
    4: "shutting down",
    5: "shut off",
    6: "crashed",
    7: "suspended by the guest",
}


_NO_SNAPSHOT = "virDomainRestore binds no domain to its connection"


def _emulable(spec: GuestSpec, accelerator: str) -> tuple[GuestSpec, str]:
    """Return the guest that can be trusted under an accelerator, and why it differs if it does.

    libvirt starts TCG with a thread a CPU and lets nobody say otherwise; `qemu_command.TCG` tells
    what that does to code that is rewritten under load.
    """
    if accelerator != "tcg" or spec.cpus == 1:
        return spec, ""
    why = f"one CPU instead of {spec.cpus}: libvirt cannot ask for emulation in a single thread"
    return msgspec.structs.replace(spec, cpus=1), why


def _qemu_of(domain: str) -> int | None:
    """Return the process that runs a domain, which libvirt tells nobody."""
    for process in psutil.process_iter(["cmdline"]):
        if f"guest={domain},debug-threads=on" in (process.info["cmdline"] or ()):
            return int(process.pid)
    return None


class LibvirtBackend:
    """Makes guests through the libvirt daemon at a URI."""

    name = "libvirt"

    def __init__(self, uri: str | None = None) -> None:
        self.uri = uri or DEFAULT_URI

    def start(
        self,
        spec: GuestSpec,
        *,
        console_log: Path | None = None,
        fresh: bool = False,
        deadline: Deadline,
    ) -> LibvirtGuest:
        """Return a guest that answers; see `lpharness.guests.contract.Backend.start`."""
        began = time.monotonic()
        check_files(spec)
        require_everything(spec.kernel.arch, "libvirt")
        accelerator = self._accelerator(spec)
        spec, cpus_why = _emulable(spec, accelerator.name)
        with ExitStack() as undo:
            connection = Connection(self.uri, deadline)
            undo.callback(connection.close)
            guest = LibvirtGuest(spec, connection, ConsoleLog(console_log))
            undo.callback(guest.close)
            guest.boot(accelerator.name, deadline)
            guest.start = Start(
                how="boot",
                seconds=time.monotonic() - began,
                accelerator=accelerator.name,
                accelerator_why=accelerator.why,
                why="; ".join(filter(None, (_NO_SNAPSHOT if not fresh else "", cpus_why))),
                command_line=guest.xml,
                backend=f"libvirt {self.uri}",
                backend_version=connection.version,
            )
            undo.pop_all()
        return guest

    def _accelerator(self, spec: GuestSpec) -> Accelerator:
        if spec.accelerator == "auto" and not is_local(self.uri):
            return Accelerator("tcg", f"KVM is not proved on the host behind {self.uri}")
        return choose(spec, Cache())


class LibvirtGuest(Closing):
    """One domain; see `lpharness.guests.contract.Guest`."""

    start: Start
    transport: Transport

    def __init__(self, spec: GuestSpec, connection: Connection, console: ConsoleLog) -> None:
        self.spec = spec
        self.xml = ""
        self._name = f"lpharness-{os.getpid()}-{secrets.token_hex(4)}"
        self._share: ShareReader | None = None
        self._connection = connection
        self._library = connection.library
        self._console = console
        self._stack = ExitStack()
        self._stack.callback(connection.close)
        self._reader: ConsoleReader | None = None
        self._domain: Any = None
        self._closed = False

    # --- coming to life ---------------------------------------------------------------------

    def boot(self, accelerator: str, deadline: Deadline) -> None:
        """Bring it to life, until its agent answers."""
        with ExitStack() as meanwhile:
            kernel, initramfs = meanwhile.enter_context(self._files(deadline))
            place = None
            if is_reachable(self._connection.uri):
                place = meanwhile.enter_context(console_place())
            self._create(accelerator, kernel, initramfs, place)
            self._attach(place)
        with self._connection.explained("let the domain run"):
            self._domain.resume()
        try:
            self._agent.channel.wait_welcome(deadline)
            self._agent.renew(deadline)
        except GuestError as error:
            raise GuestStartError(f"the guest did not come up: {self._how_far()}") from error
        if is_local(self._connection.uri) and (pid := _qemu_of(self._name)) is not None:
            self._share = ShareReader(pid)

    def _how_far(self) -> str:
        condition, detail = self.condition()
        lines = self.console
        last = (
            f"its last of {len(lines)} console lines: {lines[-1].text}" if lines else "no console"
        )
        return f"{condition} ({detail}); {last}"

    @contextmanager
    def _files(self, deadline: Deadline) -> Iterator[tuple[str, str]]:
        """Kernel and initramfs where QEMU reads them, while the domain is made."""
        kernel, initramfs = self.spec.kernel.image, self.spec.image.initramfs
        if is_local(self._connection.uri):
            yield str(kernel), str(initramfs)
            return
        files = {"kernel": kernel, "initramfs": initramfs}
        with uploaded(self._connection, files, deadline) as paths:
            yield paths["kernel"], paths["initramfs"]

    def _create(self, accelerator: str, kernel: str, initramfs: str, console: Path | None) -> None:
        spec = self.spec
        local_labels = (
            is_local(self._connection.uri) and "dac" in self._connection.security_models()
        )
        self.xml = domain_xml(
            DomainShape(
                name=self._name,
                kernel=kernel,
                initramfs=initramfs,
                command_line=kernel_command_line(
                    spec, accelerator, here=is_local(self._connection.uri)
                ),
                cpus=spec.cpus,
                memory_mb=memory_mb(spec),
                accelerator=accelerator,
                network=spec.network,
                run_as=(os.geteuid(), os.getegid()) if local_labels else None,
                console=None if console is None else str(console),
            )
        )
        flags = self._library.VIR_DOMAIN_START_AUTODESTROY | self._library.VIR_DOMAIN_START_PAUSED
        with self._connection.explained("make a domain"):
            self._domain = self._connection.handle.createXML(self.xml, flags)

    def _attach(self, console: Path | None) -> None:
        """Take hold of all that the guest will say, before it begins."""
        self._events = DomainEvents(self._connection, self._domain)
        self._stack.callback(self._events.close)
        carried = self._console_stream() if console is None else connect_console(console)
        self._reader = ConsoleReader(carried, self._console)
        self._stack.callback(self._reader.close)
        nonblock = self._library.VIR_STREAM_NONBLOCK
        with self._connection.explained("open the agent's channel"):
            stream = self._connection.handle.newStream(nonblock)
            self._domain.openChannel(AGENT_PORT, stream, self._library.VIR_DOMAIN_CHANNEL_FORCE)
        channel = Channel(self._socket(stream, "agent"), explain=self._explain)
        # A daemon that is killed does not always end its streams: who waits would wait in vain.
        self._connection.on_lost(channel.fail)
        self._agent = AgentTransport(channel, diagnose=self.condition)
        self.transport = self._agent
        self._stack.callback(self._agent.close)
        self._events.listen(self._on_event)

    def _console_stream(self) -> socket.socket:
        with self._connection.explained("open the console"):
            stream = self._connection.handle.newStream(self._library.VIR_STREAM_NONBLOCK)
            self._domain.openConsole(None, stream, self._library.VIR_DOMAIN_CONSOLE_FORCE)
        return self._socket(stream, "console")

    def _socket(self, stream: Any, name: str) -> socket.socket:
        bridge = StreamSocket(self._library, stream, name)
        self._stack.callback(bridge.close)
        self._stack.callback(bridge.join, _STREAM_SECONDS)
        return bridge.socket

    def _on_event(self, event: MonitorEvent) -> None:
        """Let those who wait for the agent know at once; in libvirt's event thread."""
        if event.name in ("SHUTDOWN", "GUEST_PANICKED"):
            self._agent.channel.fail(f"the monitor told {event.name} {event.data}")

    # --- what it says -----------------------------------------------------------------------

    @property
    def console(self) -> Sequence[ConsoleLine]:
        """Whole console lines so far."""
        return self._console.lines

    @property
    def monitor_events(self) -> Sequence[MonitorEvent]:
        """QEMU's events so far."""
        return self._events.seen

    def on_console(self, listener: Callable[[ConsoleLine], None]) -> None:
        """Call ``listener`` with each further console line, from another thread."""
        self._console.on_line(listener)

    def on_monitor(self, listener: Callable[[MonitorEvent], None]) -> None:
        """Call ``listener`` with each further monitor event, from another thread."""
        self._events.listen(listener)

    def clock(self, deadline: Deadline) -> ClockReading:
        """Read the guest's clock beside the host's."""
        return self._agent.clock(deadline)

    def hurry(self, seconds: float) -> None:
        """Wait no longer for any answer from now on; see `Channel.hurry`."""
        self._agent.channel.hurry(seconds)

    # --- how it is --------------------------------------------------------------------------

    def cpu_share(self) -> CpuShare | None:
        """Read what the host gave QEMU's threads of its CPUs; only this host can be asked."""
        return self._share.read() if self._share is not None else None

    def condition(self) -> tuple[Condition, str]:
        """Tell how the guest is now, and what says so, within a few seconds."""
        return judge(self._observe())

    def _observe(self) -> Observations:
        channel_lost = self._agent.channel.lost or ""
        # A broken channel is often the first sign of the domain's end, told a moment later.
        if channel_lost and not self._connection.lost:
            self._events.ended.wait(_LIFECYCLE_SECONDS)
        run_state = self._run_state()
        ping = command = False
        if run_state == "running" and not channel_lost:
            ping, command = self._agent.answers(Deadline.after(_AGENT_SECONDS))
        events = self._events.seen
        gone = self._events.ended.is_set() and not self._connection.lost
        return Observations(
            process="gone" if gone else "running",
            process_detail=f"libvirt tells that the domain {self._events.end_detail}",
            panicked=any(event.name == "GUEST_PANICKED" for event in events),
            shutdown=shutdown_reason(events),
            run_state=run_state,
            findings=self._console.findings,
            channel_lost=self._connection.lost or channel_lost,
            answers_ping=ping,
            answers_command=command,
            overran=self._agent.overran,
        )

    def _run_state(self) -> str:
        """Return libvirt's state of the domain; empty when it cannot say."""
        try:
            state, _ = self._domain.state()
        except self._library.libvirtError:
            return ""
        return _STATES.get(state, f"state {state}")

    def _explain(self, reason: str) -> LpharnessError:
        """Make the error for a caller whose channel failed."""
        if self._closed:
            return TransportError(reason)
        condition, detail = self.condition()
        if condition in DEAD:
            return GuestDied(f"the guest is gone ({condition}): {detail}", condition=condition)
        return TransportError(f"{reason}; the guest is {condition}: {detail}")

    # --- other ways in ----------------------------------------------------------------------

    def ssh_port(self, deadline: Deadline) -> int:
        """Return the port of 127.0.0.1 that leads to the guest's port 22.

        Raises:
            HostError: the guest has no network, or runs on another host.
        """
        if not self.spec.network:
            raise HostError("the guest has no network card", hint="GuestSpec(network=True)")
        if not is_local(self._connection.uri):
            raise HostError(
                f"no SSH to a guest of {self._connection.uri}: its port is on that host's loopback",
                hint="use the guest's agent, or run lpharness there",
            )
        deadline.check("asking QEMU for the guest's SSH port")
        with self._connection.explained("tell the guest's forwarded port"):
            table = self._qemu_monitor("info usernet")
        return forwarded_port(table)

    def ssh(self, deadline: Deadline) -> Transport:
        """Open an SSH connection with keys made for this guest alone; the caller closes it."""
        from lpharness.guests.ssh import connect

        return connect(self.transport, "127.0.0.1", self.ssh_port(deadline), deadline=deadline)

    def _qemu_monitor(self, command: str) -> str:
        import libvirt_qemu

        human = libvirt_qemu.VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP
        return str(libvirt_qemu.qemuMonitorCommand(self._domain, command, human))

    def dump_memory(self, path: Path, deadline: Deadline) -> None:
        """Write the guest's memory as an ELF core, also of a guest that panicked.

        Raises:
            HostError: libvirt could not write it, or the core could not be fetched.
            DeadlineExpired: it took too long.
        """
        dump(self._connection, self._domain, path.absolute(), deadline)

    # --- the end ----------------------------------------------------------------------------

    def close(self) -> None:
        """Destroy the domain and let go of everything; idempotent."""
        if self._closed:
            return
        self._closed = True
        if self._domain is not None:
            with suppress(self._library.libvirtError):  # it may have ended
                self._domain.destroy()
            if self._connection.lost and not self._events.domain_ended:
                destroy_anew(self._connection.uri, self._name)
        self._stack.close()
        if self._reader is None:
            self._console.close()
