"""Telling how a guest is from what can be seen of it; pure, so that every case can be tested."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from lpharness.console import Finding
from lpharness.guests.contract import Condition

_PANICS = frozenset({"panic", "double-fault", "stack-overflow"})
_HANGS = frozenset(
    {"hard-lockup", "soft-lockup", "rcu-stall", "rcu-starved", "hung-task", "workqueue-lockup"}
)

DEAD = frozenset(
    {
        Condition.HUNG,
        Condition.OOPSED,
        Condition.PANICKED,
        Condition.RESET,
        Condition.POWERED_OFF,
        Condition.KILLED,
    }
)
"""Conditions a guest does not come back from."""


class Observations(Struct, frozen=True, kw_only=True):
    """What a backend saw, in the order in which it is cheap and certain to see."""

    process: Literal["running", "stopped", "gone"] = "running"
    """Of QEMU, or of the domain as libvirt tells."""
    process_detail: str = ""
    panicked: bool = False
    """The monitor told of a panic (pvpanic)."""
    shutdown: str = ""
    """The reason the monitor gave for a shutdown (QEMU's ``ShutdownCause``); empty for none."""
    run_state: str = ""
    """The monitor's word for the machine's state; empty when it did not answer."""
    findings: Sequence[Finding] = ()
    """What the console's classifier found."""
    channel_lost: str = ""
    """Why the agent's channel cannot be used; empty while it can."""
    answers_ping: bool = False
    answers_command: bool = False
    """Whether a fresh child process in the guest was answered."""
    deaf: str = ""
    """What the CPUs' registers say if no interrupt reaches the kernel; see `registers`."""
    overran: str = ""
    """The latest command, if it overran its deadline; empty if it ended."""


def judge(seen: Observations) -> tuple[Condition, str]:
    """Return the condition and what says so.

    What cannot lie goes first: an ended process, a shutdown, a panic told by the device. The
    console speaks only when the guest does not answer: a kernel may well live on after an oops.
    """
    return _ended(seen) or _not_running(seen) or _answering(seen) or _dumb(seen)


Verdict = tuple[Condition, str]


def _ended(seen: Observations) -> Verdict | None:
    panic = _first(seen.findings, _PANICS)
    if seen.panicked or seen.shutdown == "guest-panic":
        return Condition.PANICKED, panic or "the panic device told of it"
    if seen.shutdown.startswith("guest-") or seen.shutdown == "watchdog":
        if panic:
            return Condition.PANICKED, panic
        if seen.shutdown == "guest-shutdown":
            return Condition.POWERED_OFF, "the guest powered off"
        return Condition.RESET, f"the machine was reset ({seen.shutdown})"
    if seen.process == "gone":
        why = seen.process_detail or seen.shutdown or "without a word"
        return Condition.KILLED, f"the machine ended from outside: {why}"
    return None


def _not_running(seen: Observations) -> Verdict | None:
    if seen.process == "stopped":
        return Condition.SILENT, seen.process_detail or "the machine's process is stopped"
    if seen.run_state and seen.run_state != "running":
        return Condition.PAUSED, f"the machine does not run: {seen.run_state}"
    return None


def _answering(seen: Observations) -> Verdict | None:
    if seen.answers_command:
        if seen.overran:
            return Condition.COMMAND_HANGS, f"a fresh command is answered, not: {seen.overran}"
        return Condition.ALIVE, "a fresh command is answered"
    return None


def _dumb(seen: Observations) -> Verdict:
    if panic := _first(seen.findings, _PANICS):
        return Condition.PANICKED, panic
    if hang := _first(seen.findings, _HANGS):
        return Condition.HUNG, hang
    if oops := next((item for item in seen.findings if item.severity == "fatal"), None):
        return Condition.OOPSED, oops.text
    if seen.deaf:
        return Condition.HUNG, seen.deaf
    if seen.answers_ping:
        return Condition.COMMAND_HANGS, "the agent lives, but no new command is answered"
    if seen.channel_lost:
        return Condition.CONNECTION_LOST, seen.channel_lost
    monitor = "" if seen.run_state else ", nor the monitor"
    return Condition.SILENT, f"the agent does not answer{monitor}, the console tells of no trouble"


def _first(findings: Sequence[Finding], names: frozenset[str]) -> str:
    return next((item.text for item in findings if item.name in names), "")
