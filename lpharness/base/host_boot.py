"""Which boot of the host this is: some of what is measured of a host holds until its next one."""

from __future__ import annotations

from pathlib import Path


def host_boot_id() -> str:
    """Return what tells this boot of the host from any other: random(4)."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
