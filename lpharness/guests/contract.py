"""What a guest is, whoever runs it.

``tests/vm/guest_contract.py`` is this contract as a test suite; every backend inherits it, as
``tests/vm/transport_contract.py`` is for transports.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self

from msgspec import Struct

from lpharness.base.deadline import Deadline
from lpharness.images.model import Image
from lpharness.kernels.model import Kernel


class GuestSpec(Struct, frozen=True, kw_only=True):
    """Everything that shapes a guest; equal specs may share a snapshot."""

    kernel: Kernel
    image: Image
    cpus: int = 2
    memory_mb: int = 512
    accelerator: Literal["auto", "tcg", "kvm"] = "auto"
    kernel_arguments: tuple[str, ...] = ()
    network: bool = True
    """A user-mode network card with no way out; SSH needs it."""


class Condition(StrEnum):
    """How a guest is, as far as can be told from outside."""

    ALIVE = "alive"
    """It answers."""
    COMMAND_HANGS = "command-hangs"
    """A fresh command is answered: the kernel lives, the earlier command does not return."""
    SILENT = "silent"
    """The machine runs, but neither the agent nor the console says anything."""
    HUNG = "hung"
    """The kernel told of a lockup or stall and answers no more."""
    OOPSED = "oopsed"
    """An oops is on the console and the guest answers no more."""
    PANICKED = "panicked"
    RESET = "reset"
    """The guest reset itself (or its watchdog did); it was not let boot again."""
    POWERED_OFF = "powered-off"
    CONNECTION_LOST = "connection-lost"
    """The channel broke; the machine and console look well."""
    KILLED = "killed"
    """QEMU (or the domain) ended without the guest's doing: killed, crashed, out of memory."""
    PAUSED = "paused"
    """The machine does not run: stopped by the host or by an I/O error."""


class CommandResult(Struct, frozen=True, kw_only=True):
    """How a command in the guest ended."""

    exit_status: int
    """0 to 255; 128 + N when signal N ended it."""
    stdout: bytes
    stderr: bytes
    seconds: float
    """Host time."""
    guest_began_ns: int | None = None
    """Guest ``CLOCK_BOOTTIME`` just before the command was started, where the transport tells."""
    guest_ended_ns: int | None = None

    @property
    def text(self) -> str:
        """Standard output as text, undecodable bytes replaced."""
        return self.stdout.decode(errors="replace")


class ClockReading(Struct, frozen=True, kw_only=True):
    """The guest's ``CLOCK_BOOTTIME`` was ``guest_ns`` when the host's monotonic was ``host_ns``."""

    host_ns: int
    guest_ns: int
    uncertainty_ns: int


class CpuShare(Struct, frozen=True, kw_only=True):
    """What the host gave a machine's threads of its CPUs, since somebody first asked."""

    run_ns: int
    """They ran for so long, all together."""
    waited_ns: int
    """They could have run and did not, all together: others ran, or the host held them up."""


class Running(Protocol):
    """A long command in the guest."""

    def send(self, data: bytes) -> None:
        """Write to its standard input."""

    def close_input(self) -> None:
        """Close its standard input."""

    def signal(self, number: int) -> None:
        """Send it (its process group) a signal."""

    def wait(self, deadline: Deadline) -> CommandResult:
        """Wait for its end; streamed output is not in the result.

        Raises:
            DeadlineExpired: it still runs.
            GuestDied, TransportError: nobody can say any more.
        """


class Transport(Protocol):
    """A way to run commands in a guest; never shares the kernel's console."""

    name: str

    def run(
        self, command: str | Sequence[str], *, stdin: bytes = b"", deadline: Deadline
    ) -> CommandResult:
        """Run a command (a ``str`` goes to ``/bin/sh -c``) and return how it ended.

        Never raises for a non-zero exit.

        Raises:
            DeadlineExpired: the command did not end in time; it is killed if it can be.
            TransportError: the channel broke.
        """

    def stream(
        self,
        command: str | Sequence[str],
        *,
        on_stdout: Callable[[bytes], None],
        on_stderr: Callable[[bytes], None] | None = None,
        deadline: Deadline,
    ) -> Running:
        """Start a long command; output goes to the callbacks, in order, from one thread."""

    def put(
        self, content: bytes | Path, path: str, *, mode: int = 0o644, deadline: Deadline
    ) -> None:
        """Write a file in the guest, whole or not at all."""

    def get(self, path: str, *, deadline: Deadline) -> bytes:
        """Read a file of the guest (``/proc`` files too)."""

    def close(self) -> None:
        """Let go; idempotent."""


class MonitorEvent(Struct, frozen=True, kw_only=True):
    """Something the machine monitor told, for example ``SHUTDOWN``."""

    host_ns: int
    """Host ``CLOCK_MONOTONIC``."""
    name: str
    data: str = ""


class ConsoleLine(Struct, frozen=True, kw_only=True):
    """A whole line of the kernel's console."""

    number: int
    """1-based."""
    host_ns: int
    """Host ``CLOCK_MONOTONIC`` when its end arrived."""
    text: str


class Start(Struct, frozen=True, kw_only=True):
    """How the guest came to life."""

    how: Literal["boot", "restore"]
    seconds: float
    accelerator: str
    accelerator_why: str
    why: str = ""
    """For a boot although a snapshot was wanted: why."""
    command_line: str = ""
    backend: str = ""
    backend_version: str = ""


class Guest(Protocol):
    """One running VM, made by a `Backend`; a context manager that leaves nothing behind."""

    spec: GuestSpec
    start: Start
    transport: Transport

    @property
    def console(self) -> Sequence[ConsoleLine]:
        """Whole console lines so far, boot included where it was booted."""

    @property
    def monitor_events(self) -> Sequence[MonitorEvent]:
        """The monitor's events so far."""

    def on_console(self, listener: Callable[[ConsoleLine], None]) -> None:
        """Call ``listener`` with each further console line, from another thread."""

    def on_monitor(self, listener: Callable[[MonitorEvent], None]) -> None:
        """Call ``listener`` with each further monitor event, from another thread."""

    def clock(self, deadline: Deadline) -> ClockReading:
        """Read the guest's clock beside the host's."""

    def cpu_share(self) -> CpuShare | None:
        """Read what the host gave it of its CPUs; ``None`` where the host does not tell."""

    def hurry(self, seconds: float) -> None:
        """Wait no longer for any answer from now on, whatever the deadline: it is badly hurt."""

    def ssh(self, deadline: Deadline) -> Transport:
        """Open an SSH connection with keys made for this guest alone; the caller closes it."""

    def condition(self) -> tuple[Condition, str]:
        """Tell how the guest is now, and what says so. Bounded to a few seconds."""

    def dump_memory(self, path: Path, deadline: Deadline) -> None:
        """Write the guest's memory as an ELF core."""

    def close(self) -> None:
        """End the guest and everything that belonged to it; idempotent."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class Backend(Protocol):
    """Makes guests: ``qemu``, or ``libvirt`` with a connection URI."""

    name: str

    def start(
        self,
        spec: GuestSpec,
        *,
        console_log: Path | None = None,
        fresh: bool = False,
        deadline: Deadline,
    ) -> Guest:
        """Return a guest that answers: restored from a snapshot, or booted.

        Args:
            spec: the guest wanted.
            console_log: file that the raw console is written to as it comes.
            fresh: boot even if a snapshot exists, and make none.
            deadline: for the guest to answer.

        Raises:
            GuestStartError: it did not come up; the message says how far it got.
            HostError: the host cannot run it at all.
        """
