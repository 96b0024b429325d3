"""The guest contract, and QEMU and libvirt behind it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from lpharness.base.architecture import NATIVE
from lpharness.base.errors import HostError, InputError

if TYPE_CHECKING:
    from lpharness.guests.contract import Backend

__all__ = ["backend"]


def backend(name: str = "qemu", *, uri: str | None = None) -> Backend:
    """Return a maker of guests.

    Args:
        name: ``qemu`` or ``libvirt``.
        uri: libvirt's connection, for example ``qemu:///session``; its default when ``None``.

    Raises:
        InputError: no backend of that name, or a URI for one that has none.
        HostError: QEMU or libvirt-python is not installed.
    """
    if name == "qemu":
        if uri is not None:
            raise InputError("the qemu backend takes no URI", hint="use --backend libvirt")
        from lpharness.guests.qemu import QemuBackend
        from lpharness.guests.qemu_command import program

        program(NATIVE)  # without its QEMU most kernels cannot start, and it is told now
        return QemuBackend()
    if name == "libvirt":
        from lpharness.guests.libvirt import LibvirtBackend

        if find_spec("libvirt") is None:  # its import is put off until a connection is opened
            raise HostError(
                "the libvirt backend needs libvirt-python, which is not installed",
                hint="pip install 'lpharness[libvirt]' (it compiles against libvirt-dev)",
            )
        return LibvirtBackend(uri)
    raise InputError(f"no backend named {name!r}", hint="qemu or libvirt")
