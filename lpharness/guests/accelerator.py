"""Which accelerator works here, proved by a boot.

``/dev/kvm`` may exist, open and make virtual CPUs, and a stock kernel still hang under it, where
the host is itself a guest that cannot nest. So KVM counts only after a guest of the very kernel
answered under it; the answer is remembered for this boot of the host.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec
from msgspec import Struct

from lpharness.base.architecture import architecture
from lpharness.base.cache import Cache
from lpharness.base.deadline import Deadline
from lpharness.base.errors import DeadlineExpired, GuestError, HostError, InputError
from lpharness.base.hashing import identity
from lpharness.base.host_boot import host_boot_id
from lpharness.guests.contract import GuestSpec
from lpharness.guests.machine import Machine
from lpharness.guests.qemu_command import program, version

ENVIRONMENT = "LPHARNESS_ACCEL"
_KIND = "accelerators"
_FIRST_WORD_S = 4.0
"""A kernel under working KVM prints its first line within a fraction of a second."""
_ANSWER_S = 15.0


class Accelerator(Struct, frozen=True):
    """An accelerator and why it is used."""

    name: str
    """``tcg`` or ``kvm``."""
    why: str

    @property
    def scale(self) -> float:
        """What to multiply time-outs by: emulation is about ten times slower than KVM."""
        return 10.0 if self.name == "tcg" else 1.0


def choose(spec: GuestSpec, cache: Cache) -> Accelerator:
    """Return the accelerator for a guest: as asked for, else KVM if a boot proves it, else TCG.

    Raises:
        InputError: ``LPHARNESS_ACCEL`` is neither ``auto``, ``tcg`` nor ``kvm``, or is ``kvm`` for
            an architecture that is not the host's.
        HostError: QEMU is missing.
    """
    wanted: str = spec.accelerator
    why = "asked for"
    if wanted == "auto":
        wanted = os.environ.get(ENVIRONMENT, "auto")
        why = f"{ENVIRONMENT}={wanted}"
    if wanted not in ("auto", "tcg", "kvm"):
        raise InputError(f"{ENVIRONMENT}={wanted} names no accelerator", hint="auto, tcg or kvm")
    if wanted == "kvm" and not architecture(spec.kernel.arch).native:
        raise InputError(f"KVM runs no {spec.kernel.arch} on this host", hint="take tcg, or auto")
    if wanted != "auto":
        return Accelerator(wanted, why)
    if not architecture(spec.kernel.arch).native:
        return Accelerator("tcg", f"KVM runs no {spec.kernel.arch} on this host")
    if refusal := _kvm_refusal():
        return Accelerator("tcg", refusal)
    return _remembered(spec, cache)


def _kvm_refusal() -> str:
    """Return why KVM is out of the question without a boot; empty when it is not."""
    device = Path("/dev/kvm")
    try:
        os.close(os.open(device, os.O_RDWR | os.O_CLOEXEC))
    except FileNotFoundError:
        return "the host has no /dev/kvm"
    except OSError as error:
        return f"/dev/kvm cannot be opened: {error.strerror}"
    return ""


def _remembered(spec: GuestSpec, cache: Cache) -> Accelerator:
    qemu = version(program(spec.kernel.arch))
    key = identity(host_boot_id(), qemu, spec.kernel.identity)

    def build(folder: Path) -> None:
        (folder / "answer.json").write_bytes(msgspec.json.encode(probe(spec)))

    entry = cache.get(_KIND, key, build)
    try:
        return msgspec.json.decode((entry / "answer.json").read_bytes(), type=Accelerator)
    except (OSError, msgspec.MsgspecError):
        cache.remove(_KIND, key)
        return probe(spec)


def probe(spec: GuestSpec) -> Accelerator:
    """Boot the guest under KVM once; takes about a second, or a few when KVM does not work."""
    began = time.monotonic()
    try:
        machine = Machine(spec, "kvm")
    except (GuestError, HostError) as error:
        return Accelerator("tcg", f"KVM does not start: {error.message}")
    try:
        machine.connect(Deadline.after(_ANSWER_S))
        while not machine.console.lines:
            if time.monotonic() - began > _FIRST_WORD_S:
                raise DeadlineExpired(f"the kernel said nothing within {_FIRST_WORD_S:.0f} s")
            if machine.channel.lost:
                break
            time.sleep(0.05)
        machine.channel.wait_welcome(Deadline.after(_ANSWER_S))
    except GuestError as error:
        return Accelerator("tcg", f"/dev/kvm opens, but a boot under KVM failed: {error.message}")
    finally:
        machine.close()
    seconds = time.monotonic() - began
    return Accelerator("kvm", f"a boot under KVM answered in {seconds:.1f} s")
