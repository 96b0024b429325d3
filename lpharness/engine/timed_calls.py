"""What calls of a patched function cost, timed by a case itself: ``patches/contract/timed.h``."""

from __future__ import annotations

from lpharness.base.deadline import Deadline
from lpharness.base.errors import GuestError
from lpharness.guests.contract import Guest
from lpharness.timeline.events import CallBurst, CallsTimed
from lpharness.timeline.recorder import Recorder


def record_timed(
    guest: Guest, file: str, module: str, function: str, recorder: Recorder, deadline: Deadline
) -> None:
    """Write down every burst of calls of a function that a file of the guest tells of.

    Raises:
        GuestError: it cannot be read.
    """
    text = guest.transport.get(file, deadline=deadline).decode(errors="replace")
    calls, bursts = parse(text, file)
    recorder.add(
        CallsTimed(
            host_ns=recorder.now(), module=module, function=function, calls=calls, bursts=bursts
        )
    )


def parse(text: str, file: str) -> tuple[int, tuple[CallBurst, ...]]:
    """Read the calls of a burst, and all bursts: ``calls N``, then ``burst AT CLOCK TIMED TWIN``.

    Raises:
        GuestError: a line is not of that form; names the file.
    """
    calls, bursts = 0, []
    for line in text.splitlines():
        kind, *fields = line.split("\t")
        if not all(field.isdecimal() for field in fields):
            kind = ""
        if kind == "calls" and len(fields) == 1:
            calls = int(fields[0])
        elif kind == "burst" and len(fields) == 4:
            bursts.append(CallBurst(*map(int, fields)))
        else:
            raise GuestError(f"{file} has an unknown line: {line[:200]!r}")
    if calls < 1:
        raise GuestError(f"{file} does not say how many calls a burst has")
    return calls, tuple(bursts)
