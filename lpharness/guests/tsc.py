"""The rate of the host's time stamp counter (TSC), which an emulated x86 guest has to be told.

QEMU gives an emulated CPU the host's own counter (``cpu_get_host_ticks``, include/qemu/timer.h).
A kernel that is not told its rate measures it against an emulated timer, and on a busy host that
goes wrong: "PIT calibration deviates from PMTIMER: 511654 2596308" made a clean guest's clock run
five times too fast until its kernel found out, and the clock that traces bear for ever.
"""

from __future__ import annotations

import ctypes
import mmap
import platform
import time
from functools import cache
from pathlib import Path

from lpharness.base.cache import Cache
from lpharness.base.errors import LpharnessError
from lpharness.base.hashing import identity
from lpharness.base.host_boot import host_boot_id

_KIND = "tsc"
_SPAN_S = 0.2
_TRIES = 50
# rdtsc; shl rdx, 32; or rax, rdx; ret
_READ_TSC = bytes.fromhex("0f31 48c1e220 4809d0 c3")


@cache
def tsc_khz() -> int | None:
    """Return the rate of this host's counter in kHz; ``None`` where there is none, or no way to it.

    Measured once in a boot of the host and kept, so that equal guests have equal command lines and
    share a snapshot.
    """
    if platform.machine() != "x86_64":
        return None
    try:
        entry = Cache().get(_KIND, identity(host_boot_id()), _measure_into)
        return int((entry / "khz").read_text())
    except (LpharnessError, OSError, ValueError):
        return None


def _measure_into(folder: Path) -> None:
    (folder / "khz").write_text(f"{measure_khz()}\n")


def measure_khz(span_s: float = _SPAN_S) -> int:
    """Measure the counter against ``CLOCK_MONOTONIC``, which QEMU's own clock is.

    Raises:
        OSError: the host lets nobody make code that can be run (SELinux's ``execmem``).
    """
    with mmap.mmap(
        -1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
    ) as page:
        page.write(_READ_TSC)
        place = ctypes.c_char.from_buffer(page)
        try:
            read = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(place))
            began, first = _moment(read)
            time.sleep(span_s)
            ended, last = _moment(read)
        finally:
            del place  # else the page could not be given back
    return round((last - first) * 1e6 / (ended - began))


def _moment(read: ctypes._CFunctionType) -> tuple[float, int]:
    """Return one moment by both clocks: of many tries the one in which least time passed."""
    best: tuple[int, float, int] | None = None
    for _ in range(_TRIES):
        before = time.monotonic_ns()
        ticks = int(read())
        after = time.monotonic_ns()
        if best is None or after - before < best[0]:
            best = (after - before, (before + after) / 2, ticks)
    assert best is not None
    return best[1], best[2]
