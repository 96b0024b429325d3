"""Each way for a guest to be, told from what can be seen of it."""

import json

import pytest

from lpharness.console import classify_text
from lpharness.guests.condition import DEAD, Observations, judge
from lpharness.guests.contract import Condition, MonitorEvent
from lpharness.guests.monitor import shutdown_reason

OOPS = """\
[   12.000000] BUG: kernel NULL pointer dereference, address: 0000000000000010
[   12.000000] #PF: supervisor read access in kernel mode
[   12.000000] Oops: 0000 [#1] PREEMPT SMP NOPTI
[   12.000000] CPU: 0 PID: 42 Comm: sh Not tainted 6.1.0-56-cloud-amd64 #1
[   12.000000] RIP: 0010:ext4_mb_load_buddy_gfp+0x1/0x2 [ext4]
[   12.000000] ---[ end trace 0000000000000000 ]---
"""
PANIC = "[   13.000000] Kernel panic - not syncing: Fatal exception\n"
LOCKUP = "[   60.000000] watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [sh:42]\n"
STALL = "[   70.000000] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:\n"


def told(name: str, **data: object) -> MonitorEvent:
    return MonitorEvent(host_ns=1, name=name, data=json.dumps(data) if data else "")


def test_a_reset_by_the_watchdog_is_told_from_the_guests_own() -> None:
    reset = told("SHUTDOWN", guest=True, reason="guest-reset")
    assert shutdown_reason([told("RESUME"), reset]) == "guest-reset"
    assert shutdown_reason([told("WATCHDOG", action="reset"), reset]) == "watchdog"
    assert shutdown_reason([told("WATCHDOG", action="reset")]) == ""
    off = told("SHUTDOWN", guest=True, reason="guest-shutdown")
    assert shutdown_reason([told("WATCHDOG", action="none"), off]) == "guest-shutdown"
    assert shutdown_reason([told("SHUTDOWN")]) == "unknown"


def seen(console: str = "", **facts: object) -> Condition:
    return judge(Observations(findings=tuple(classify_text(console)), **facts))[0]


RUNNING = {"run_state": "running"}
ANSWERING = {**RUNNING, "answers_ping": True, "answers_command": True}


@pytest.mark.parametrize(
    ("condition", "console", "facts"),
    [
        (Condition.ALIVE, "", ANSWERING),
        (Condition.ALIVE, OOPS, ANSWERING),
        (Condition.ALIVE, LOCKUP, ANSWERING),
        (Condition.COMMAND_HANGS, "", {**ANSWERING, "overran": "cat /proc/x"}),
        (Condition.COMMAND_HANGS, "", {**RUNNING, "answers_ping": True}),
        (Condition.SILENT, "", RUNNING),
        (Condition.SILENT, "", {}),
        (Condition.SILENT, "", {"process": "stopped"}),
        (Condition.HUNG, LOCKUP, RUNNING),
        (Condition.HUNG, STALL, RUNNING),
        (Condition.HUNG, LOCKUP, {**RUNNING, "answers_ping": True}),
        (Condition.HUNG, LOCKUP, {**RUNNING, "channel_lost": "closed"}),
        (Condition.OOPSED, OOPS, RUNNING),
        (Condition.PANICKED, OOPS + PANIC, RUNNING),
        (Condition.PANICKED, "", {"panicked": True}),
        (Condition.PANICKED, "", {"shutdown": "guest-panic"}),
        (Condition.PANICKED, PANIC, {"shutdown": "guest-reset"}),
        (Condition.PANICKED, PANIC, {"shutdown": "guest-reset", "process": "gone"}),
        (Condition.RESET, "", {"shutdown": "guest-reset"}),
        (Condition.RESET, OOPS, {"shutdown": "guest-reset"}),
        (Condition.RESET, "", {"shutdown": "watchdog", "process": "gone"}),
        (Condition.POWERED_OFF, "", {"shutdown": "guest-shutdown"}),
        (Condition.POWERED_OFF, OOPS, {"shutdown": "guest-shutdown", "process": "gone"}),
        (Condition.KILLED, "", {"process": "gone", "channel_lost": "closed"}),
        (Condition.KILLED, OOPS, {"process": "gone"}),
        (Condition.KILLED, "", {"process": "gone", "shutdown": "host-signal"}),
        (Condition.PAUSED, "", {"run_state": "paused"}),
        (Condition.PAUSED, "", {"run_state": "io-error"}),
        (Condition.CONNECTION_LOST, "", {**RUNNING, "channel_lost": "closed"}),
    ],
)
def test_condition(condition, console, facts):
    assert seen(console, **facts) == condition


def test_the_detail_quotes_the_kernel():
    said = judge(Observations(run_state="running", findings=tuple(classify_text(LOCKUP))))[1]
    assert "soft lockup - CPU#1 stuck for 26s" in said


def test_a_guest_may_come_back_from_the_rest():
    assert (
        frozenset(Condition)
        - {
            Condition.ALIVE,
            Condition.COMMAND_HANGS,
            Condition.SILENT,
            Condition.CONNECTION_LOST,
            Condition.PAUSED,
        }
        == DEAD
    )


def test_a_guest_whose_cpus_nobody_can_reach_is_hung() -> None:
    said = judge(Observations(run_state="running", deaf="every CPU had its interrupts off"))
    assert said == (Condition.HUNG, "every CPU had its interrupts off")
