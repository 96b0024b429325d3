"""How much longer a guest may take than one that runs on the processor itself."""

from __future__ import annotations

from lpharness.guests.accelerator import Accelerator
from lpharness.guests.contract import Guest

_CHECKERS = 5.0
"""With KASAN, lockdep and kmemleak ``lpharness run cmdline`` took 45 s of the guest's processors
from its baseline until the patch was off, and 3 s without (built:6.1-debug, debian:6.1-cloud)."""


def slowness(guest: Guest) -> float:
    """Return what to multiply time-outs by; how busy the host is comes on top."""
    scale = Accelerator(guest.start.accelerator, "").scale
    return scale * _CHECKERS if guest.spec.kernel.checks_itself else scale
