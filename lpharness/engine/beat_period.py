"""How often a guest's kernel may beat: as fine as the host allows.

Under KVM a beat costs some microseconds of a CPU that has the time, and 50 µs are fine. Emulated
CPUs share one thread of the host, in which a beat takes some 45 µs: there the module measures what
a beat costs, and takes the finest period at which all beats together stay within an eighth. What it
found is remembered for this boot of the host, so that trials that are set side by side have the
same.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from msgspec import Struct

from lpharness.base.cache import Cache
from lpharness.base.hashing import identity, sha256_file
from lpharness.base.host_boot import host_boot_id
from lpharness.guests.contract import Guest

DEFAULT_NS = 50_000
_MEASURE = 0
"""The module's word for: find it out."""
_KIND = "beat-periods"
_FILE = "period_ns"


class Period(Struct, frozen=True):
    """A period to ask the module for."""

    ns: int
    """0: it is to find one by itself."""
    chosen: Literal["default", "measured", "remembered"]


def choose(guest: Guest, module: Path, cache: Cache | None = None) -> Period:
    """Return the period that the heartbeats of a module are to have in a guest."""
    if guest.start.accelerator == "kvm":
        return Period(DEFAULT_NS, "default")
    entry = (cache or Cache()).find(_KIND, _key(guest, module))
    if entry is not None and (text := _text(entry / _FILE)).isdigit():
        return Period(int(text), "remembered")
    return Period(_MEASURE, "measured")


def remember(guest: Guest, module: Path, ns: int, cache: Cache | None = None) -> None:
    """Let later guests like this one have the period that was found in it.

    Of several that find one at the same time the first one's stays.

    Raises:
        HostError: the cache cannot be written.
    """

    def build(folder: Path) -> None:
        (folder / _FILE).write_text(f"{ns}\n")

    (cache or Cache()).get(_KIND, _key(guest, module), build)


def _key(guest: Guest, module: Path) -> str:
    start = guest.start
    return identity(
        host_boot_id(),
        start.accelerator,
        start.backend_version,
        sha256_file(module),
        guest.spec.cpus,
    )


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
