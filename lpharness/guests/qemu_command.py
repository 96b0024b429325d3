"""QEMU's command line for a guest: as it is run, as it identifies a snapshot, as it is pasted."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from functools import cache
from pathlib import Path

from msgspec import Struct

from lpharness.base.architecture import architecture
from lpharness.base.errors import HostError
from lpharness.guests.contract import GuestSpec
from lpharness.guests.tsc import tsc_khz

AGENT_PORT = "org.lpharness.agent"


class Wiring(Struct, frozen=True, kw_only=True):
    """Where the guest's three channels and its memory go."""

    monitor: str
    """A ``-chardev`` backend without its id, for example ``socket,fd=5``."""
    console: str
    agent: str
    memory: str = "memory-backend-ram"
    """The ``-object`` without id and size."""


PASTED = Wiring(
    monitor="socket,path=monitor.sock,server=on,wait=off",
    console="stdio,signal=off",
    agent="socket,path=agent.sock,server=on,wait=off",
)
"""Where they go when a person pastes the command line: the console to the terminal."""


def program(arch: str) -> str:
    """Return QEMU's program for an architecture.

    Raises:
        InputError: guests of that architecture are not supported.
        HostError: QEMU is not installed.
    """
    target = architecture(arch)
    found = shutil.which(target.qemu)
    if found is None:
        hint = f"apt install {target.qemu_package}"
        raise HostError(f"{target.qemu} is not installed", hint=hint)
    return found


@cache
def version(path: str) -> str:
    """Return QEMU's full version, for example ``7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)``.

    Raises:
        HostError: it does not run.
    """
    try:
        said = subprocess.run(
            [path, "--version"], capture_output=True, text=True, check=True, timeout=20
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise HostError(f"{path} --version does not work: {error}") from error
    found = re.search(r"version (.+)", said)
    return found[1].strip() if found else said.strip()


def memory_mb(spec: GuestSpec) -> int:
    """Return the guest's memory: what was asked for, but never less than its image needs."""
    return max(spec.memory_mb, spec.image.memory_mb)


def kernel_command_line(spec: GuestSpec, accelerator: str, *, here: bool = True) -> str:
    """Return the kernel's arguments.

    ``panic=-1`` resets at once, which QEMU turns into an end, where no panic device's driver is.

    Args:
        spec: the guest.
        accelerator: ``tcg`` or ``kvm``.
        here: whether QEMU runs on this host, whose counter an emulated CPU then has.
    """
    target = architecture(spec.kernel.arch)
    words = [f"console={target.console}", "panic=-1", *target.kernel_arguments]
    if accelerator == "tcg" and here and target.has_tsc and (khz := tsc_khz()):
        # Reliable: the kernel would hold it against the ACPI timer, see a busy host take the CPU
        # away in between, and keep time by that timer, which wraps after 4.7 s.
        words += [f"tsc_early_khz={khz}", "tsc=reliable"]
    return " ".join([*words, *spec.kernel_arguments])


TCG = "tcg,thread=single"
"""How QEMU emulates. With a thread a CPU (``thread=multi``, the default) it can go on for ever with
its translation of code that another CPU has just rewritten: a store passes the check for translated
code, then the other CPU translates the old bytes. ftrace rewrites hot code while all CPUs run it,
and in a third of the trials of the ``hot-syscall`` case (QEMU 7.2.22) a guest then hung in a stale
``int3``, jumped to address 0, or went on with the old function. A harness that emulates so would
fail good patches; one thread for all CPUs costs nothing that was measured."""


def command(spec: GuestSpec, accelerator: str, wiring: Wiring) -> list[str]:
    """Return QEMU's argument vector.

    Nothing is there that was not asked for (``-nodefaults``). A reset ends the guest, and a
    power-off or a panic leaves it standing, so that it can still be looked at.
    """
    target = architecture(spec.kernel.arch)
    words = [program(spec.kernel.arch), "-nodefaults", "-no-user-config", "-display", "none"]
    words += ["-name", "lpharness", "-machine", target.board]
    words += ["-accel", "kvm" if accelerator == "kvm" else TCG]
    words += ["-cpu", "host" if accelerator == "kvm" else target.cpu]
    words += ["-smp", str(spec.cpus), "-m", f"{memory_mb(spec)}M"]
    words += ["-object", f"{wiring.memory},id=ram,size={memory_mb(spec)}M"]
    words += ["-action", "reboot=shutdown,shutdown=pause,panic=pause,watchdog=reset"]
    words += ["-kernel", str(spec.kernel.image), "-initrd", str(spec.image.initramfs)]
    words += ["-append", kernel_command_line(spec, accelerator)]
    words += ["-chardev", f"{wiring.monitor},id=monitor", "-mon", "chardev=monitor,mode=control"]
    words += ["-chardev", f"{wiring.console},id=console", "-serial", "chardev:console"]
    words += ["-chardev", f"{wiring.agent},id=agent", "-device", "virtio-serial-pci"]
    words += ["-device", f"virtserialport,chardev=agent,name={AGENT_PORT}"]
    for device in ("virtio-rng-pci", *target.devices):
        words += ["-device", device]
    if spec.network:
        # restrict: nothing gets out. The port of the host is the kernel's choice, loopback only.
        words += ["-netdev", "user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:0-:22"]
        words += ["-device", "virtio-net-pci,netdev=net,romfile="]
    return words


def pasteable(spec: GuestSpec, accelerator: str) -> str:
    """Return the command line that boots the same guest by hand."""
    return shlex.join(command(spec, accelerator, PASTED))


def check_files(spec: GuestSpec) -> None:
    """Refuse a spec whose files are gone, before QEMU does so in its own words.

    Raises:
        HostError: a file is missing.
    """
    for what, path in (("kernel", spec.kernel.image), ("initramfs", spec.image.initramfs)):
        if not Path(path).is_file():
            raise HostError(f"the {what} {path} is gone", hint="fetch or build it again")
