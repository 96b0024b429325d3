"""A guest's description in libvirt's words: the domain XML."""

from __future__ import annotations

import re
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from msgspec import Struct

from lpharness.base.errors import HostError
from lpharness.guests.qemu_command import AGENT_PORT

NETDEV = "lphnet"
"""QEMU's id of the guest's network backend."""

_QEMU = "http://libvirt.org/schemas/domain/qemu/1.0"


class DomainShape(Struct, frozen=True, kw_only=True):
    """What a domain is made of."""

    name: str
    kernel: str
    """Path on the host that QEMU runs on."""
    initramfs: str
    command_line: str
    """The kernel's."""
    cpus: int
    memory_mb: int
    accelerator: str
    """``tcg`` or ``kvm``."""
    network: bool
    run_as: tuple[int, int] | None = None
    """User and group that QEMU must run as; ``None`` for the daemon's choice."""
    console: str | None = None
    """Path of a socket for QEMU to listen at with the console; ``None`` for libvirt to carry it."""
    incoming: bool = False
    """Wait for a saved state to be loaded, instead of booting."""


def domain_xml(shape: DomainShape) -> str:
    """Return the XML of a transient domain; see https://libvirt.org/formatdomain.html."""
    ElementTree.register_namespace("qemu", _QEMU)
    domain = Element("domain", type="kvm" if shape.accelerator == "kvm" else "qemu")
    SubElement(domain, "name").text = shape.name
    SubElement(domain, "memory", unit="MiB").text = str(shape.memory_mb)
    SubElement(domain, "vcpu").text = str(shape.cpus)
    _boot(domain, shape)
    _fate(domain)
    _devices(SubElement(domain, "devices"), shape.console)
    if shape.run_as is not None:
        _label(domain, *shape.run_as)
    _qemu_arguments(domain, shape)
    return ElementTree.tostring(domain, encoding="unicode")


def _boot(domain: Element, shape: DomainShape) -> None:
    system = SubElement(domain, "os")
    SubElement(system, "type", arch="x86_64", machine="q35").text = "hvm"
    SubElement(system, "kernel").text = shape.kernel
    SubElement(system, "initrd").text = shape.initramfs
    SubElement(system, "cmdline").text = shape.command_line
    features = SubElement(domain, "features")
    SubElement(features, "acpi")
    SubElement(features, "vmport", state="off")
    if shape.accelerator == "kvm":
        SubElement(domain, "cpu", mode="host-passthrough")
    else:
        cpu = SubElement(domain, "cpu", mode="custom", match="exact", check="none")
        SubElement(cpu, "model").text = "qemu64"
    clock = SubElement(domain, "clock", offset="utc")
    SubElement(clock, "timer", name="hpet", present="no")


def _fate(domain: Element) -> None:
    """A guest never boots twice; one that panicked stays, so that its memory can be dumped."""
    SubElement(domain, "on_poweroff").text = "destroy"
    SubElement(domain, "on_reboot").text = "destroy"
    SubElement(domain, "on_crash").text = "preserve"


def _devices(devices: Element, console: str | None) -> None:
    SubElement(devices, "controller", type="usb", model="none")
    # The kernel's console alone: commands go through the agent's channel.
    kind = "pty" if console is None else "unix"
    serial = SubElement(devices, "serial", type=kind)
    SubElement(serial, "target", port="0")
    if console is not None:
        SubElement(serial, "source", mode="bind", path=console)
    SubElement(SubElement(devices, "console", type=kind), "target", type="serial", port="0")
    # Without a source libvirt makes a socket of its own, reached through virDomainOpenChannel.
    channel = SubElement(devices, "channel", type="unix")
    SubElement(channel, "target", type="virtio", name=AGENT_PORT)
    random = SubElement(devices, "rng", model="virtio")
    SubElement(random, "backend", model="random").text = "/dev/urandom"
    SubElement(devices, "watchdog", model="i6300esb", action="reset")
    SubElement(devices, "memballoon", model="none")


def _label(domain: Element, user: int, group: int) -> None:
    """Run QEMU as the user who asked for the guest, and leave the files' owners alone.

    The daemon's own choice (``libvirt-qemu`` on Debian) cannot read the cache in a home folder,
    and "dynamic ownership" would give away cached files that other guests use.
    """
    label = SubElement(domain, "seclabel", type="static", model="dac", relabel="no")
    SubElement(label, "label").text = f"+{user}:+{group}"


def _qemu_arguments(domain: Element, shape: DomainShape) -> None:
    # Slots 16 and 17 of the root bus are far above those that libvirt gives out for so few devices.
    # libvirt 9.0 knows the panic device on the ISA bus only, and the guests drive the PCI one.
    arguments = ["-device", "pvpanic-pci,bus=pcie.0,addr=0x10"]
    if shape.network:
        # libvirt's own <interface type='user'> has no `restrict`: a guest could reach the net.
        arguments += ["-netdev", f"user,id={NETDEV},restrict=on,hostfwd=tcp:127.0.0.1:0-:22"]
        arguments += ["-device", f"virtio-net-pci,netdev={NETDEV},bus=pcie.0,addr=0x11,romfile="]
    if shape.incoming:
        arguments += ["-incoming", "defer"]
    command_line = SubElement(domain, f"{{{_QEMU}}}commandline")
    for argument in arguments:
        SubElement(command_line, f"{{{_QEMU}}}arg", value=argument)


def forwarded_port(table: str) -> int:
    """Return the host's port for the guest's port 22 from QEMU's ``info usernet``.

    Raises:
        HostError: no port is forwarded.
    """
    found = re.search(r"TCP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s+\S+\s+22\b", table)
    if found is None:
        raise HostError(f"QEMU forwards no port to the guest's SSH: {table!r}")
    return int(found[1])
