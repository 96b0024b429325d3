"""What differs between the architectures of guests, as data: one entry for each.

Kernels, images, modules and guests take what they need from here; nothing else asks which
architecture it is, but for what is not there yet: see `require_everything`.
"""

from __future__ import annotations

from msgspec import Struct

from lpharness.base.errors import InputError


class Architecture(Struct, frozen=True, kw_only=True):
    """One architecture of kernels and guests."""

    name: str
    """Debian's: ``amd64``."""
    machine: str
    """What ``uname -m`` says on it."""
    folder: str
    """Of the kernel's source in ``arch/``, and what ``make ARCH=`` takes."""
    options: tuple[str, ...]
    """What says in a ``.config`` that the kernel is of it; all of them are ``y``."""
    image: str
    """What QEMU boots, in a built tree."""
    target: str
    """What makes that image."""
    elf: str
    """ELF machine of its modules: ``EM_X86_64``."""
    gnu: str
    """GNU's name of it, as of compilers (``powerpc64le-linux-gnu-gcc``) and of library folders."""
    objtool: bool
    """Whether its kernels' objects pass through objtool, which takes libelf to build."""
    qemu: str
    qemu_package: str
    board: str
    """QEMU's ``-machine`` with its options; the memory backend is ours."""
    cpu: str
    """What is emulated (``-cpu``) under TCG."""
    console: str
    """Linux' name of QEMU's first serial port."""
    kernel_arguments: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    """Besides those that every guest has: to tell of a panic, and a watchdog."""
    has_tsc: bool = False
    """Whether its CPUs have a time stamp counter; of an emulated one it is the host's own."""
    syscall_prefix: str
    """What stands before ``umask`` in the name of the function that is the system call."""
    no_snapshots: str = ""
    """Why its guests are booted each time; empty where they are restored from a snapshot."""
    loader_symbols: tuple[str, ...] = ()
    """What modules import that no one exports: the kernel's loader makes it."""
    everything: bool = False
    """Whether all of lpharness works on it, and not only livepatches in C on QEMU."""

    @property
    def native(self) -> bool:
        """Whether this host's own programs are of it: its compilers, and what it can run."""
        return self.name == NATIVE

    @property
    def cross(self) -> str:
        """What this host's compiler and binutils for it begin with; empty for its own."""
        return "" if self.native else f"{self.gnu}-"

    @property
    def make(self) -> tuple[str, ...]:
        """What kbuild has to be told of it."""
        return () if self.native else (f"ARCH={self.folder}", f"CROSS_COMPILE={self.cross}")


NATIVE = "amd64"
"""Of the hosts that lpharness runs on; there are no others yet."""

_ALL = (
    Architecture(
        name="amd64",
        machine="x86_64",
        folder="x86",
        options=("CONFIG_X86_64",),
        image="arch/x86/boot/bzImage",
        target="bzImage",
        elf="EM_X86_64",
        gnu="x86_64-linux-gnu",
        objtool=True,
        qemu="qemu-system-x86_64",
        qemu_package="qemu-system-x86",
        board="q35,memory-backend=ram,vmport=off,hpet=off",
        cpu="qemu64",
        console="ttyS0",
        # The kernel counts ticks while it spins, and panics if there are too few; an emulated CPU
        # that a busy host takes away in that moment has none (`timer_irq_works` in
        # arch/x86/kernel/apic/io_apic.c). Under KVM it leaves that out by itself.
        kernel_arguments=("no_timer_check",),
        devices=("pvpanic-pci", "i6300esb"),
        has_tsc=True,
        syscall_prefix="__x64_sys_",
        everything=True,
    ),
    Architecture(
        name="ppc64el",
        machine="ppc64le",
        folder="powerpc",
        options=("CONFIG_PPC64", "CONFIG_CPU_LITTLE_ENDIAN"),
        image="vmlinux",
        target="vmlinux",
        elf="EM_PPC64",
        gnu="powerpc64le-linux-gnu",
        objtool=False,
        qemu="qemu-system-ppc64",
        qemu_package="qemu-system-ppc",
        # TCG has none of the mitigations that the board promises unless told not to. A panic is
        # told by the firmware's ibm,os-term, which the board answers: no device is needed. QEMU's
        # own small firmware (VOF) comes to the kernel in a small part of the time SLOF takes.
        board="pseries,x-vof=on,memory-backend=ram,usb=off,"
        "cap-cfpc=broken,cap-sbbc=broken,cap-ibs=broken,cap-ccf-assist=off",
        cpu="power9",
        console="hvc0",
        syscall_prefix="sys_",
        # Restored guests' timers did not go off (QEMU 7.2): when the decrementer is to reach zero
        # is not saved, and the kernel, which has set it, has no cause to do so again.
        no_snapshots="QEMU's snapshots lose a ppc64el CPU's next timer interrupt",
        loader_symbols=(".TOC.",),  # dedotify(), arch/powerpc/kernel/module_64.c
    ),
)
ARCHITECTURES = {architecture.name: architecture for architecture in _ALL}


def architecture(name: str) -> Architecture:
    """Return an architecture by Debian's name of it.

    Raises:
        InputError: there are no guests of it.
    """
    if name not in ARCHITECTURES:
        raise InputError(
            f"no guests of architecture {name}", hint=f"there are {', '.join(ARCHITECTURES)}"
        )
    return ARCHITECTURES[name]


def require_everything(name: str, what: str) -> None:
    """Refuse in one line what is there for x86 alone.

    Args:
        name: the kernel's architecture.
        what: what was asked for, to begin the line with: ``the source-diff engine``.

    Raises:
        InputError: it is not there yet on that architecture.
    """
    if not architecture(name).everything:
        raise InputError(
            f"{what}: not yet on {name}",
            hint="there livepatches in C are built, loaded and judged: docs/architectures.md",
            kind="architecture",
        )


def of_config(config: dict[str, str]) -> Architecture | None:
    """Return the architecture that a kernel's configuration is of, if it is one of ours."""
    for one in _ALL:
        if all(config.get(option) == "y" for option in one.options):
            return one
    return None


def of_elf(machine: str) -> Architecture | None:
    """Return the architecture of an ELF machine (``EM_PPC64``), if it is one of ours."""
    return next((one for one in _ALL if one.elf == machine), None)
