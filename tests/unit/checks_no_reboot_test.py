"""No reboot: each sign of a second life, and each sign that was not looked at."""

import msgspec
from checks_clauses import AFTER, ERROR, FAIL, PASS, Clause, check
from checks_samples import (
    CONSOLE,
    SECOND,
    ask,
    assert_verdict,
    between,
    change,
    clean,
    drop,
    insert,
    said,
)

from lpharness.checks import Recording
from lpharness.timeline.events import (
    ConsoleFound,
    GuestNotified,
    Vitals,
)


def notified(at: float, name: str, data: str = "") -> Recording:
    return insert(clean(), at, GuestNotified, name=name, data=data)


QUIT = '{"guest": false, "reason": "host-qmp-quit"}'


@check(
    [
        ("no_reboot", lambda: change(clean(), Vitals, AFTER, boot_id="b2"), FAIL, "became b2"),
        ("no_reboot", lambda: change(clean(), Vitals, boot_id=""), ERROR, "could not be read"),
        ("no_reboot", lambda: change(clean(), Vitals, AFTER, uptime_ns=5, guest_ns=5), FAIL,
         "0.00 s after 13.60 s"),
        ("no_reboot", lambda: change(clean(), Vitals, AFTER, uptime_ns=40 * SECOND), FAIL,
         "when the guest's clock showed"),
        ("no_reboot", lambda: drop(clean(), Vitals, AFTER), ERROR, "none of after the unload"),
        ("no_reboot", lambda: drop(clean(), Vitals, between(0, 1)), ERROR, "none of the baseline"),
        ("no_reboot", lambda: change(clean(), Vitals, AFTER, witness_pid=None,
                                     witness_start_ticks=None), FAIL, "witness process: gone"),
        ("no_reboot", lambda: change(clean(), Vitals, AFTER, witness_start_ticks=1), FAIL,
         "pid 77, started at tick 1"),
        ("no_reboot", lambda: change(clean(), Vitals, witness_pid=None), ERROR, "to begin with"),
        ("no_reboot", lambda: change(clean(), Vitals, AFTER, connection_alive=False), FAIL,
         "TCP connection"),
        ("no_reboot", lambda: change(clean(), Vitals, connection_alive=False), ERROR,
         "never worked"),
        ("no_reboot", lambda: change(clean(), Vitals, AFTER, connection_alive=None), ERROR,
         "was not tried"),
        ("no_reboot", lambda: change(clean(), Vitals, connection_alive=None,
                                     connection_detail="no network"), PASS, "one life"),
        ("no_reboot", lambda: notified(3, "RESET"), FAIL, "machine events: RESET"),
        ("no_reboot", lambda: notified(3, "SHUTDOWN", '{"guest": true}'), FAIL, "SHUTDOWN"),
        ("no_reboot", lambda: notified(3, "GUEST_PANICKED"), FAIL, "GUEST_PANICKED"),
        ("no_reboot", lambda: notified(3, "WATCHDOG"), FAIL, "WATCHDOG"),
        ("no_reboot", lambda: notified(3, "SHUTDOWN", QUIT), ERROR, "the host's doing"),
        ("no_reboot", lambda: notified(7.95, "SHUTDOWN", QUIT), PASS, "one life"),
        ("no_reboot", lambda: notified(8.1, "SHUTDOWN"), PASS, "one life"),
        ("no_reboot", lambda: notified(-0.2, "RESET"), PASS, "one life"),
        ("no_reboot", lambda: notified(3, "RTC_CHANGE"), PASS, "one life"),
        ("no_reboot", lambda: said(clean(), CONSOLE[0]), FAIL, "console: Linux version"),
        ("no_reboot", lambda: said(clean(), "SeaBIOS (version 1.16.2)"), FAIL, "console: SeaBIOS"),
    ]
)  # fmt: skip
def test_no_reboot(clause: Clause) -> None:
    assert_verdict(clause[0], clause[1](), clause[2], clause[3])


def test_a_banner_told_live_counts_where_the_console_was_lost() -> None:
    lost = msgspec.structs.replace(clean(), console=())
    fields = {"name": "boot-banner", "severity": "expected", "line": 900, "text": "Linux version 6"}
    assert_verdict("no_reboot", insert(lost, 3, ConsoleFound, **fields), FAIL, "Linux version 6")
    assert_verdict("no_reboot", insert(lost, -0.3, ConsoleFound, **fields), PASS, "one life")


def test_it_says_that_the_machine_was_listened_to() -> None:
    events = [e for e in ask("no_reboot", clean()).evidence if e.what == "machine events"]
    assert [e.good for e in events] == [True]
    assert "no RESET" in events[0].seen
    assert "no SHUTDOWN" in events[0].seen
