"""Asking kmemleak for memory that nothing points to any more: Documentation/dev-tools/kmemleak.rst.

It takes two scans: a block counts as lost when nothing points to it and its content has not changed
since the scan before. And a block younger than five seconds never counts, so the second scan waits
until what was allocated just before the first is old enough.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from lpharness.base.deadline import Deadline
from lpharness.guests.contract import Guest
from lpharness.timeline.events import Leak, LeaksScanned
from lpharness.timeline.recorder import Recorder

_FILE = "/sys/kernel/debug/kmemleak"
_AGE_S = 7  # five seconds (MSECS_MIN_AGE in mm/kmemleak.c), and what whole seconds of uptime hide
_MOST = 100
_MOST_BYTES = 400_000
_SCAN = f"""
read began _ < /proc/uptime
echo scan > {_FILE} || exit 1
read now _ < /proc/uptime
rest=$((${{began%.*}} + {_AGE_S} - ${{now%.*}}))
[ $rest -gt 0 ] && sleep $rest
echo scan > {_FILE} || exit 1
head -c {_MOST_BYTES} {_FILE}
"""

_REPORT = re.compile(
    r"^unreferenced object (?P<address>0x[0-9a-f]+) \(size (?P<bytes>\d+)\):\n"
    r"  comm \"(?P<comm>.*)\", pid (?P<pid>\d+), jiffies (?P<jiffies>\d+).*\n"
    r"(?P<rest>(?:  .*\n)*)",
    re.MULTILINE,
)
_FRAME = re.compile(
    r"^    (?:\[<[^>]*>\] )?(?P<frame>[\w.]+\+0x\S+(?: \[\w+\])?|0x[0-9a-f]+)$", re.M
)
_SYMBOL = re.compile(r"^([0-9a-f]+) (\w) (\S+)\s+\[(\w+)\]$", re.MULTILINE)
_CODE = "tTwW"
_LONGEST_FUNCTION = 0x4000


class LeakScanner:
    """Finds memory that was lost, in a guest whose kernel has kmemleak."""

    def __init__(self, guest: Guest, recorder: Recorder) -> None:
        self._guest = guest
        self._recorder = recorder
        config = guest.spec.kernel.config
        self._there = config.get("CONFIG_DEBUG_KMEMLEAK") == "y"
        self._hz = int(config.get("CONFIG_HZ", "250"))
        self._functions: list[tuple[int, str]] = []

    def remember(self, module: str, deadline: Deadline) -> None:
        """Note where a module's functions are: once it is gone the kernel has only addresses."""
        if not self._there:
            return
        text = self._guest.transport.run(
            f"grep -F '[{module}]' /proc/kallsyms", deadline=deadline
        ).text
        self._functions += [
            (int(address, 16), f"{name} [{owner}]")
            for address, kind, name, owner in _SYMBOL.findall(text)
            if kind in _CODE
        ]

    def scan(self, deadline: Deadline) -> None:
        """Go through the kernel's memory, and record what is lost; no answer is an answer too."""
        if not self._there:
            return
        result = self._guest.transport.run(_SCAN, deadline=deadline)
        why = result.stderr.decode(errors="replace").strip() or "refused"
        leaks = read_leaks(result.text, self._hz, self._functions)
        self._recorder.add(
            LeaksScanned(
                host_ns=self._recorder.now(),
                leaks=tuple(leaks[-_MOST:]),  # the latest stand last
                more=max(0, len(leaks) - _MOST),
                detail=f"kmemleak does not scan: {why}" if result.exit_status else "",
            )
        )


def read_leaks(text: str, hz: int, functions: Sequence[tuple[int, str]] = ()) -> list[Leak]:
    """Read kmemleak's report.

    Args:
        text: of ``/sys/kernel/debug/kmemleak``.
        hz: jiffies in a second.
        functions: of modules that are gone: address, and ``name [module]``.
    """
    return [
        Leak(
            address=found["address"],
            bytes=int(found["bytes"]),
            comm=found["comm"],
            pid=int(found["pid"]),
            allocated_ns=_nanoseconds(int(found["jiffies"]), hz),
            stack=tuple(
                _named(frame["frame"], functions) for frame in _FRAME.finditer(found["rest"])
            ),
        )
        for found in _REPORT.finditer(text)
    ]


def _nanoseconds(jiffies: int, hz: int) -> int:
    """Return the time since boot; jiffies begin five minutes before they pass 32 bits."""
    return (jiffies - ((1 << 32) - 300 * hz)) * 1_000_000_000 // hz


def _named(frame: str, functions: Sequence[tuple[int, str]]) -> str:
    """Return a frame by name, also where all that the kernel knew was an address."""
    if "+" in frame:
        return frame
    address = int(frame, 16)
    below = [(start, name) for start, name in functions if start <= address]
    after = [start for start, _ in functions if start > address]
    if not below or (not after and address - max(below)[0] > _LONGEST_FUNCTION):
        return frame
    start, name = max(below)
    end = min(after, default=start + _LONGEST_FUNCTION)
    function, _, owner = name.partition(" ")
    return f"{function}+{address - start:#x}/{end - start:#x} {owner}"
