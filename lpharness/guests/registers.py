"""Telling by the CPUs' registers that nobody in a guest can hear any more.

A kernel that answers late has its interrupts on, nearly always: idle CPUs wait with them on, and
code that turns them off does so for microseconds. If every CPU had them off at each of several
looks, in kernel mode, no timer and no device reaches the kernel, and it cannot tell its trouble.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

_CPU = re.compile(r"^CPU#(\d+)\s*$", re.MULTILINE)
_RIP = re.compile(r"\bRIP=([0-9a-f]+)")
_FLAGS = re.compile(r"\b[RE]FL(?:AGS)?=([0-9a-f]+)")
_LEVEL = re.compile(r"\bCPL=(\d)")
_INTERRUPT_FLAG = 1 << 9  # IF, Intel SDM volume 1, 3.4.3


class Cpu(Struct, frozen=True):
    """A CPU at one moment."""

    number: int
    place: int
    """Its instruction pointer."""
    hears: bool
    """Whether an interrupt would reach the kernel: they are on, or it runs a program."""


def parse(registers: str) -> list[Cpu]:
    """Read QEMU's ``info registers -a``; CPUs of which it does not say enough are left out."""
    parts = _CPU.split(registers)[1:]
    found = []
    for number, text in zip(parts[::2], parts[1::2], strict=True):
        place, flags, level = _RIP.search(text), _FLAGS.search(text), _LEVEL.search(text)
        if place and flags and level:
            on = bool(int(flags[1], 16) & _INTERRUPT_FLAG)
            found.append(Cpu(int(number), int(place[1], 16), on or level[1] != "0"))
    return found


def deaf(looks: Sequence[Sequence[Cpu]]) -> str:
    """Say that no CPU could be reached at any of the looks; empty if one could, or nobody knows."""
    if not looks or not all(looks) or any(cpu.hears for look in looks for cpu in look):
        return ""
    places = ", ".join(f"CPU {cpu.number} at {cpu.place:#x}" for cpu in looks[-1])
    return f"every CPU had its interrupts off at each of {len(looks)} looks: {places}"
