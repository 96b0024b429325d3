"""Healthy: the console before and since the load, and the taint bits."""

import re

import msgspec
from checks_clauses import AFTER, ERROR, FAIL, PASS, Clause, check
from checks_samples import (
    CONSOLE,
    ask,
    assert_verdict,
    between,
    change,
    clean,
    drop,
    expecting,
    insert,
    nth,
    said,
)

from lpharness.checks import Recording
from lpharness.timeline.events import (
    ConsoleFound,
    Vitals,
)

OOPS = "[   12.500000] BUG: kernel NULL pointer dereference, address: 0000000000000000"
WARN = "WARNING: CPU: 0 PID: 81 at fs/x.c:12 some_function+0x1/0x2"


def before(*lines: str) -> Recording:
    """Put lines among those of the boot."""
    return msgspec.structs.replace(clean(), console=[*CONSOLE[:2], *lines, *CONSOLE[2:]])


@check(
    [
        ("healthy", lambda: said(clean(), OOPS), FAIL, "console: page-fault: BUG: kernel NULL"),
        ("healthy", lambda: said(clean(), f"[   12.500000] {WARN}"), FAIL, "console: warning"),
        ("healthy", lambda: said(clean(), "[   12.5] x", "[   12.500000] sysrq: Resetting"), PASS,
         "nothing bad"),
        ("healthy", lambda: before(f"[    2.200000] {WARN}"), PASS, "nothing bad"),
        ("healthy", lambda: said(before(f"[    2.200000] {WARN}"), f"[   12.500000] {WARN}"), PASS,
         "nothing bad"),
        ("healthy", lambda: said(before(f"[    2.200000] {WARN}"),
                                 f"[   12.500000] {WARN}".replace("some", "other")), FAIL,
         "other_function"),
        ("healthy", lambda: expecting(said(clean(), OOPS), console=("page-fault",)), PASS,
         "nothing bad"),
        ("healthy", lambda: expecting(said(clean(), OOPS), console=("warning",)), FAIL,
         "page-fault"),
        ("healthy", lambda: said(clean(), "[   12.500000] livepatch: failed to enable patch 'x'"),
         FAIL, "livepatch-failed"),
        ("healthy", lambda: msgspec.structs.replace(clean(), console=()), ERROR,
         "shows nothing of the load"),
        ("healthy", lambda: change(clean(), Vitals, AFTER, taint=45056 | 128), FAIL,
         "taint added: D: the kernel died"),
        ("healthy", lambda: change(clean(), Vitals, AFTER, taint=45056 | 1 << 14), FAIL,
         "L: soft lockup"),
        ("healthy", lambda: expecting(change(clean(), Vitals, AFTER, taint=45056 | 512),
                                      taint=45056 | 512), PASS, "nothing bad"),
        ("healthy", lambda: change(clean(), Vitals, taint=45056 | 512), PASS, "nothing bad"),
        ("healthy", lambda: drop(clean(), Vitals, AFTER), ERROR, "no vitals of after the unload"),
        ("healthy", lambda: drop(clean(), Vitals, between(0, 1)), ERROR,
         "no vitals of the baseline"),
    ]
)  # fmt: skip
def test_healthy(clause: Clause) -> None:
    assert_verdict(clause[0], clause[1](), clause[2], clause[3])


def test_odd_things_are_mentioned() -> None:
    odd = said(clean(), "[   12.500000] sched: RT throttling activated")
    result = ask("healthy", odd)
    assert [e.what for e in result.evidence if e.console_line == len(odd.console)] == [
        "console: slow-interrupt"
    ]


def test_evidence_names_the_console_line_function_and_task() -> None:
    rip = "[   12.500001] RIP: 0010:lph_show+0x4/0x20 [lph_case]"
    task = "[   12.500002] CPU: 0 PID: 81 Comm: cat Tainted: G           OEK    6.1.0 #1"
    result = ask("healthy", said(clean(), OOPS, task, rip))
    (wrong,) = [e for e in result.evidence if e.good is False]
    assert wrong.console_line == len(CONSOLE) + 1
    assert "in lph_show+0x4/0x20 [lph_case], task cat:81" in wrong.seen


def test_what_only_the_live_classifier_saw_counts_too() -> None:
    fields = {"name": "page-fault", "severity": "fatal", "line": 5000, "text": "BUG: told live"}
    assert_verdict("healthy", insert(clean(), 3, ConsoleFound, **fields), FAIL, "told live")
    assert_verdict("healthy", insert(clean(), 0.5, ConsoleFound, **fields), PASS, "nothing bad")


def test_todays_classifier_has_the_last_word_on_a_line_that_is_kept() -> None:
    fields = {"name": "panic", "severity": "fatal", "line": 2, "text": "an old mistake"}
    assert_verdict("healthy", insert(clean(), 3, ConsoleFound, **fields), PASS, "nothing bad")


def test_a_storm_of_findings_does_not_drown_the_document() -> None:
    lines = [f"[   12.{n:06}] WARNING: CPU: 0 PID: 1 at f{n}x.c:1 fn+0x1/0x2" for n in range(3000)]
    result = ask("healthy", said(clean(), *lines))
    assert result.verdict is FAIL
    assert len(result.evidence) < 400
    assert result.evidence[-1].what == "more evidence"


def talk(lines: int, second: int) -> list[str]:
    text = "lph: this is line {0} of many, and it says nothing"
    return [f"[{second:5}.{n:06}] {text.format(n)}" for n in range(lines)]


def test_a_kernel_that_talks_on_and_on_since_the_load_is_not_well() -> None:
    flooded = said(clean(), *talk(6000, 12))
    reason = assert_verdict("healthy", flooded, FAIL, "console: flood").summary
    assert re.search(
        r"6,0\d\d lines since the load, \d+% of them like “lph: this is line #", reason
    )
    assert ask("healthy", expecting(flooded, console=("flood",))).verdict is PASS
    assert ask("healthy", before(*talk(6000, 2))).verdict is PASS


def test_what_a_kernel_has_to_say_is_held_with_a_margin() -> None:
    result = ask("healthy", said(clean(), *talk(3000, 12)))
    assert result.verdict is PASS
    (margin,) = [e.margin for e in result.evidence if e.margin]
    assert 0.6 < margin.used < 0.61


def test_nth_picks_one_event() -> None:
    assert ask("no_reboot", change(clean(), Vitals, nth(2), boot_id="b2")).verdict is FAIL


def test_a_console_that_shows_nothing_of_the_load_cannot_vouch_for_the_rest() -> None:
    quiet = msgspec.structs.replace(clean(), console=CONSOLE[:2])
    assert_verdict("healthy", quiet, ERROR, "shows nothing of the load")
    fields = {"name": "livepatch-enabling", "severity": "expected", "line": 9, "text": "livepatch"}
    loaded = insert(quiet, 1.2, ConsoleFound, **fields)
    assert_verdict("healthy", loaded, ERROR, "does not tell that patching of lph_case has ended")


def test_a_console_that_fell_silent_cannot_vouch_for_the_rest() -> None:
    silent = msgspec.structs.replace(clean(), console=CONSOLE[:-1])
    assert_verdict("healthy", silent, ERROR, "does not tell that unpatching of lph_case has ended")
