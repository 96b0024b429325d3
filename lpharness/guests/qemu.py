"""Guests run by QEMU directly."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from lpharness.base.architecture import architecture
from lpharness.base.cache import Cache
from lpharness.base.closing import Closing
from lpharness.base.deadline import Deadline
from lpharness.base.errors import GuestError, GuestStartError, HostError
from lpharness.guests import accelerator, snapshot
from lpharness.guests.accelerator import Accelerator
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
from lpharness.guests.machine import Machine, how_far
from lpharness.guests.qemu_command import check_files, pasteable, program, version


class QemuGuest(Closing):
    """A guest in a QEMU process of this user; see `lpharness.guests.contract.Guest`."""

    def __init__(self, spec: GuestSpec, machine: Machine, start: Start) -> None:
        self.spec = spec
        self.start = start
        self.machine = machine
        self.transport: Transport = machine.transport
        self._share = ShareReader(machine.child.pid)

    @property
    def pid(self) -> int:
        """QEMU's process id."""
        return self.machine.child.pid

    @property
    def console(self) -> Sequence[ConsoleLine]:
        """Whole console lines so far."""
        return self.machine.console.lines

    @property
    def monitor_events(self) -> Sequence[MonitorEvent]:
        """QMP's events so far."""
        return self.machine.events

    def on_console(self, listener: Callable[[ConsoleLine], None]) -> None:
        """Call ``listener`` with each further console line, from the console's thread."""
        self.machine.console.on_line(listener)

    def on_monitor(self, listener: Callable[[MonitorEvent], None]) -> None:
        """Call ``listener`` with each further QMP event, from the events' thread."""
        self.machine.on_event(listener)

    def clock(self, deadline: Deadline) -> ClockReading:
        """Read the guest's clock by the fastest of a few pings of the agent."""
        return self.machine.transport.clock(deadline)

    def cpu_share(self) -> CpuShare | None:
        """Read what the host gave QEMU's threads of its CPUs."""
        return self._share.read()

    def hurry(self, seconds: float) -> None:
        """Wait no longer for any answer from now on; see `Channel.hurry`."""
        self.machine.channel.hurry(seconds)

    def ssh_port(self, deadline: Deadline) -> int:
        """Return the port of 127.0.0.1 that leads to the guest's port 22.

        Raises:
            HostError: the guest has no network.
        """
        if not self.spec.network:
            raise HostError("the guest has no network card", hint="GuestSpec(network=True)")
        table = self.machine.execute("human-monitor-command", deadline, command_line="info usernet")
        found = re.search(r"TCP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s+\S+\s+22\b", table)
        if found is None:
            raise HostError(f"QEMU forwards no port to the guest's SSH: {table!r}")
        return int(found[1])

    def ssh(self, deadline: Deadline) -> Transport:
        """Open an SSH connection with keys made for this guest alone."""
        from lpharness.guests.ssh import connect

        return connect(self.transport, "127.0.0.1", self.ssh_port(deadline), deadline=deadline)

    def condition(self) -> tuple[Condition, str]:
        """Tell how the guest is now, and what says so; bounded to a few seconds."""
        return self.machine.condition()

    def dump_memory(self, path: Path, deadline: Deadline) -> None:
        """Write the guest's memory as an ELF core, also of a guest that panicked.

        Raises:
            GuestError: QEMU could not write it, or has ended.
            DeadlineExpired: it took too long.
        """
        aside = path.with_name(f".{path.name}.part").absolute()
        seen = len(self.monitor_events)
        try:
            self.machine.execute(
                "dump-guest-memory",
                deadline,
                paging=False,
                protocol=f"file:{aside}",
                detach=True,
            )
            event = self.machine.wait_event(
                lambda event: event.name == "DUMP_COMPLETED",
                deadline,
                "QEMU dumps the memory",
                skip=seen,
            )
            if error := json.loads(event.data or "{}").get("error"):
                raise GuestError(f"QEMU could not dump the memory to {path}: {error}")
            aside.chmod(0o600)
            aside.rename(path)
        finally:
            with suppress(OSError):
                aside.unlink()

    def close(self) -> None:
        """End the guest; idempotent."""
        self.machine.close()


class QemuBackend:
    """Makes `QemuGuest`."""

    name = "qemu"

    def __init__(self, cache: Cache | None = None) -> None:
        self._cache = cache or Cache()

    def accelerator(self, spec: GuestSpec) -> Accelerator:
        """Return the accelerator that a guest would get, proving KVM first if need be."""
        return accelerator.choose(spec, self._cache)

    def start(
        self,
        spec: GuestSpec,
        *,
        console_log: Path | None = None,
        fresh: bool = False,
        deadline: Deadline,
    ) -> QemuGuest:
        """Return a guest that answers; see `lpharness.guests.contract.Backend.start`."""
        check_files(spec)
        choice = self.accelerator(spec)
        # Of each step: another process may be making the snapshot, for minutes.
        began, seconds = time.monotonic(), deadline.remaining()
        unfit = architecture(spec.kernel.arch).no_snapshots
        why = "a fresh boot was asked for" if fresh else unfit
        if not fresh and not unfit:
            try:
                machine, note = self._restored(spec, choice.name, console_log, seconds)
                return self._guest(spec, machine, choice, began, how="restore", why=note)
            except (snapshot.SnapshotError, HostError) as error:
                why = error.message
        machine = self._booted(spec, choice.name, console_log, Deadline.after(seconds))
        return self._guest(spec, machine, choice, began, how="boot", why=why)

    def _restored(
        self, spec: GuestSpec, name: str, console_log: Path | None, seconds: float
    ) -> tuple[Machine, str]:
        entry = snapshot.find(spec, name, self._cache)
        note = "" if entry else "the snapshot was made first"
        if entry is None:
            entry = snapshot.make(spec, name, self._cache, seconds)
        try:
            deadline = Deadline.after(seconds)
            return snapshot.restore(spec, name, entry, console_log, deadline), note
        except snapshot.SnapshotError:
            snapshot.drop(entry, self._cache)
            raise

    @staticmethod
    def _booted(
        spec: GuestSpec, name: str, console_log: Path | None, deadline: Deadline
    ) -> Machine:
        began = time.monotonic()
        machine = Machine(spec, name, console_log=console_log)
        try:
            machine.connect(deadline)
            machine.channel.wait_welcome(deadline)
            machine.transport.renew(deadline)
        except GuestError as error:
            far = how_far(machine, began)
            machine.close()
            raise GuestStartError(
                f"the guest did not come up: {error.message}; {far}",
                hint="`lpharness doctor` tells whether KVM works here; LPHARNESS_ACCEL=tcg emulates"
                if name == "kvm"
                else "a kernel that cannot boot here, or a deadline too short for this host",
            ) from error
        except BaseException:
            machine.close()
            raise
        return machine

    @staticmethod
    def _guest(
        spec: GuestSpec, machine: Machine, choice: Accelerator, began: float, *, how: str, why: str
    ) -> QemuGuest:
        start = Start(
            how="restore" if how == "restore" else "boot",
            seconds=time.monotonic() - began,
            accelerator=choice.name,
            accelerator_why=choice.why,
            why=why,
            command_line=pasteable(spec, choice.name),
            backend="qemu",
            backend_version=version(program(spec.kernel.arch)),
        )
        return QemuGuest(spec, machine, start)
