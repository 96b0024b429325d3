"""How much longer a guest may take than one that runs on the processor itself."""

from __future__ import annotations

from lpharness.guests.accelerator import Accelerator
from lpharness.guests.contract import Guest
from lpharness.kernels.model import Kernel

_CHECKERS = 5.0
"""With KASAN, lockdep and kmemleak ``lpharness run cmdline`` took 45 s of the guest's processors
from its baseline until the patch was off, and 3 s without (built:6.1-debug, debian:6.1-cloud)."""


def slowness(guest: Guest) -> float:
    """Return what to multiply time-outs by; how busy the host is comes on top."""
    return Accelerator(guest.start.accelerator, "").scale * cost_of_checkers(guest.spec.kernel)


def cost_of_checkers(kernel: Kernel) -> float:
    """Return how many times longer a kernel takes that checks itself; 1 for others."""
    return _CHECKERS if kernel.checks_itself else 1.0
