"""The stream side: split reads, dirt, long lines, bounded memory, reports that are one event."""

import itertools
import re
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lpharness.console import Classifier, classify_text
from lpharness.console.lines import LONGEST_LINE

OOPS = """\
[   12.000000] BUG: kernel NULL pointer dereference, address: 0000000000000000
[   12.000001] #PF: supervisor write access in kernel mode
[   12.000002] Oops: 0002 [#1] PREEMPT SMP NOPTI
[   12.000003] CPU: 0 PID: 81 Comm: insmod Tainted: G           OE      6.1.0-56-cloud-amd64 #1
[   12.000004] RIP: 0010:crash_init+0x14/0x1000 [crash]
[   12.000005] Call Trace:
[   12.000006]  <TASK>
[   12.000007]  do_one_initcall+0x56/0x220
[   12.000008] ---[ end trace 0000000000000000 ]---
[   12.000009] RIP: 0010:crash_init+0x14/0x1000 [crash]
[   12.000010] note: insmod[81] exited with irqs disabled
"""


def names(text: str | bytes) -> list[str]:
    return [found.name for found in classify_text(text)]


def test_an_oops_is_one_finding_with_function_and_task() -> None:
    (found,) = classify_text(OOPS)
    assert (found.name, found.line, found.stamp) == ("page-fault", 1, 12.0)
    assert found.function == "crash_init+0x14/0x1000 [crash]"
    assert found.task == "insmod:81"
    assert found.detail == "in crash_init+0x14/0x1000 [crash], task insmod:81"


def test_two_oopses_are_two_findings() -> None:
    assert names(OOPS + OOPS) == ["page-fault", "page-fault"]


def test_a_fault_inside_a_milder_report_is_not_swallowed() -> None:
    stall = "[   11.000000] INFO: task sh:7 blocked for more than 10 seconds.\n"
    assert names(stall + OOPS) == ["hung-task", "page-fault"]


def test_the_panic_after_an_oops_is_an_event_of_its_own() -> None:
    panic = "[   12.100000] Kernel panic - not syncing: Fatal exception\n"
    end = "[   12.200000] ---[ end Kernel panic - not syncing: Fatal exception ]---\n"
    assert names(OOPS + panic + end) == ["page-fault", "panic"]


def test_a_report_is_held_back_until_its_function_is_known_but_can_be_asked_for() -> None:
    classifier = Classifier()
    lines = OOPS.encode().splitlines(keepends=True)
    assert classifier.feed(b"".join(lines[:3])) == []
    assert [found.name for found in classifier.pending] == ["page-fault"]
    (found,) = classifier.feed(b"".join(lines[3:5]))
    assert found.function.startswith("crash_init")
    assert classifier.pending == ()
    assert classifier.finish() == []


def test_a_report_that_never_ends_is_told_at_the_finish() -> None:
    classifier = Classifier()
    assert classifier.feed(OOPS.splitlines(keepends=True)[0].encode()) == []
    assert [found.name for found in classifier.finish()] == ["page-fault"]


def test_a_report_without_an_end_closes_after_a_bounded_number_of_lines() -> None:
    classifier = Classifier()
    first = b"[   12.000000] BUG: kernel NULL pointer dereference, address: 0\n"
    found = classifier.feed(first + b"[   12.000001] noise\n" * 200)
    assert [f.name for f in found] == ["page-fault"]
    again = classifier.feed(b"[   13.000000] Oops: 0002 [#2] PREEMPT SMP\n")
    assert [f.name for f in [*again, *classifier.finish()]] == ["oops"]


def test_reports_of_two_cpus_do_not_mix_when_the_kernel_names_the_caller() -> None:
    text = (
        "[    1.000000][    C0] watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [a:7]\n"
        "[    1.000001][    C1] watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [b:8]\n"
        "[    1.000002][    C1] RIP: 0010:spin_b+0x1/0x2\n"
        "[    1.000003][    C0] RIP: 0010:spin_a+0x1/0x2\n"
    )
    found = {f.task: f.function for f in classify_text(text)}
    assert found == {"a:7": "spin_a+0x1/0x2", "b:8": "spin_b+0x1/0x2"}


def test_a_stamp_in_mid_line_begins_the_kernels_words() -> None:
    assert names("# half a prompt[   12.000000] reboot: Power down\n") == ["power-off"]


@pytest.mark.parametrize(
    "line",
    [
        "[    1.000000] rcu: \tRCU CPU stall warnings timeout set to 21 (rcu_cpu_stall_timeout).\n",
        '[    1.000000] Kernel command line: console=ttyS0 panic=1 printk="Oops: x"\n',
        "[    1.000000] NMI watchdog: Enabled. Permanently consumes one hw-PMU counter.\n",
        "[    1.000000] ---[ end trace 0000000000000000 ]---\n",
        "[    1.000000] mce: CPU0 supports 10 MCE banks\n",
        "[    1.000000] Spectre V2 : WARNING: Unprivileged eBPF is enabled with eIBRS on\n",
        "[    1.000000] traps: nothing\n",
        "[    1.000000] EXT4-fs (vda): mounted filesystem with ordered data mode.\n",
        "[    1.000000] clocksource: tsc: mask: 0xffffffffffffffff max_cycles: 0x1\n",
    ],
)
def test_harmless_lines_are_silent(line: str) -> None:
    assert names(line) == []


def test_escapes_control_characters_and_bad_utf8_do_not_hide_a_line() -> None:
    dirty = (
        b"\x1bc\x1b[?7l\x1b[2J\x1b[0mSeaBIOS (version 1.16.2)\r\r\n"
        b"\xff\xfe[    1.000000] reboot: Power down\x00\r\n"
    )
    assert [(f.name, f.text) for f in classify_text(dirty)] == [
        ("firmware-banner", "SeaBIOS (version 1.16.2)"),
        ("power-off", "reboot: Power down"),
    ]


def test_what_comes_late_in_an_endless_line_is_ignored_whole_or_split() -> None:
    stream = b"x" * (LONGEST_LINE + 10) + b"[    1.000000] reboot: Power down\n" + OOPS.encode()
    whole = classify_text(stream)
    assert [(f.name, f.line) for f in whole] == [("page-fault", 2)]
    classifier = Classifier()
    split = [f for i in range(0, len(stream), 1000) for f in classifier.feed(stream[i : i + 1000])]
    assert split == whole


CONSOLES = Path(__file__).parent.parent / "recordings" / "consoles"
RECORDED = "".join(
    (CONSOLES / f"{name}.console").read_text(errors="replace")
    for name in ("rebooted-61", "livepatch-612", "null-61", "rcu-61", "list-612", "sysrqc-612")
)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, len(RECORDED) + len(OOPS)), max_size=40))
def test_findings_do_not_depend_on_where_reads_are_split(cuts: list[int]) -> None:
    data = (RECORDED + OOPS).encode()
    bounds = sorted({0, len(data), *(min(cut, len(data)) for cut in cuts)})
    classifier = Classifier()
    found = [
        finding
        for start, end in itertools.pairwise(bounds)
        for finding in classifier.feed(data[start:end])
    ]
    found += classifier.finish()
    assert sorted(found, key=lambda f: f.line) == classify_text(data)


@settings(deadline=None)
@given(st.binary(max_size=4000))
def test_any_bytes_are_survived_and_lines_are_counted(noise: bytes) -> None:
    found = classify_text(noise + b"\n[    1.000000] reboot: Power down\n")
    assert found[-1].line == noise.count(b"\n") + 2


def test_memory_is_bounded_whatever_the_stream() -> None:
    classifier = Classifier()
    chunk = b"[    1.000000] some harmless line of a console\n" * 1400 + b"y" * 3000
    classifier.feed(chunk)
    endless = b"z" * 3_000_000
    tracemalloc.start()
    for _ in range(60):
        classifier.feed(chunk)
    classifier.feed(endless)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3_000_000


def test_pattern_sources_are_kernel_paths() -> None:
    from lpharness.console.patterns import bundled_patterns

    for pattern in bundled_patterns().all:
        assert re.fullmatch(r"[\w./-]+|SeaBIOS src/bootsplash\.c", pattern.source), pattern.name


LOCKDEP = {
    "two orders": """\
[   10.000000] WARNING: possible circular locking dependency detected
[   10.000001] 6.1.192-debug-gcc-12 #1 Tainted: G           O  K
[   10.000002] ------------------------------------------------------
[   10.000003] cat/81 is trying to acquire lock:
[   10.000004] ffffffffc0002040 (lph_a){+.+.}-{3:3}, at: lph_show+0x43/0x70 [lph_fault]
[   10.000005]
[   10.000006] but task is already holding lock:
[   10.000007] ffffffffc0002120 (lph_b){+.+.}-{3:3}, at: lph_show+0x37/0x70 [lph_fault]
""",
    "held": """\
[   10.000000] WARNING: lock held when returning to user space!
[   10.000001] 6.1.192-debug-gcc-12 #1 Tainted: G           O  K
[   10.000002] ------------------------------------------------
[   10.000003] cat/81 is leaving the kernel with locks still held!
[   10.000004] 1 lock held by cat/81:
[   10.000005]  #0: ffffffffc0002040 (lph_a){+.+.}-{3:3}, at: lph_show+0x43/0x70 [lph_fault]
""",
    "unbalanced": """\
[   10.000000] WARNING: bad unlock balance detected!
[   10.000001] 6.1.192-debug-gcc-12 #1 Tainted: G           O  K
[   10.000002] -------------------------------------
[   10.000003] cat/81 is trying to release lock (lph_a) at:
[   10.000004] [<ffffffffc0000043>] lph_show+0x43/0x70 [lph_fault]
[   10.000005] but there are no more locks to release!
""",
    "inconsistent": """\
[   10.000000] WARNING: inconsistent lock state
[   10.000001] 6.1.192-debug-gcc-12 #1 Tainted: G           O  K
[   10.000002] --------------------------------
[   10.000003] inconsistent {SOFTIRQ-ON-W} -> {IN-SOFTIRQ-W} usage.
[   10.000004] cat/81 [HC0[0]:SC1[1]:HE1:SE0] takes:
[   10.000005] ffffffffc0002040 (lph_a){+.?.}-{2:2}, at: lph_show+0x43/0x70 [lph_fault]
""",
    "rcu": """\
[   10.000000] WARNING: suspicious RCU usage
[   10.000001] 6.1.192-debug-gcc-12 #1 Tainted: G           O  K
[   10.000002] -----------------------------
[   10.000003] lph_fault.c:14 suspicious rcu_dereference_check() usage!
[   10.000004]
[   10.000005] other info that might help us debug this:
[   10.000006]
[   10.000007] 1 lock held by cat/81:
[   10.000008]  #0: ffff888004ba0b08 (&p->lock){+.+.}-{3:3}, at: seq_read_iter+0x88/0x770
[   10.000009]
[   10.000010] stack backtrace:
[   10.000011] CPU: 1 PID: 81 Comm: cat Tainted: G           O  K    6.1.192-debug-gcc-12 #1
[   10.000012] Call Trace:
[   10.000013]  <TASK>
[   10.000014]  dump_stack_lvl+0x4c/0x63
[   10.000015]  lph_show+0x43/0x70 [lph_fault]
""",
}
"""Reports of lockdep in the forms that it has, shortened."""


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("two orders", "possible circular locking dependency detected: lph_a"),
        ("held", "lock held when returning to user space!: lph_a"),
        ("unbalanced", "bad unlock balance detected!: lph_a"),
        ("inconsistent", "inconsistent lock state: {SOFTIRQ-ON-W} -> {IN-SOFTIRQ-W}: lph_a"),
        ("rcu", "suspicious RCU usage: lph_fault.c:14 suspicious rcu_dereference_check() usage"),
    ],
)
def test_lockdep_names_lock_function_and_task_in_its_own_way(name: str, says: str) -> None:
    (found,) = classify_text(LOCKDEP[name])
    assert (found.name, found.text) == ("lockdep", f"WARNING: {says}")
    assert (found.function, found.task) == ("lph_show+0x43/0x70 [lph_fault]", "cat:81")


def test_who_left_interrupts_off_is_named_though_it_has_returned() -> None:
    text = """\
[   10.000000] BUG: sleeping function called from invalid context at mm/memory.c:5676
[   10.000001] in_atomic(): 0, irqs_disabled(): 1, non_block: 0, pid: 81, name: cat
[   10.000002] irq event stamp: 1234
[   10.000003] hardirqs last  enabled at (1233): [<ffffffff81000010>] do_syscall_64+0x10/0x90
[   10.000004] hardirqs last disabled at (1234): [<ffffffffc0000043>] lph_show+0x43/0x70 [lph_fault]
[   10.000005] CPU: 1 PID: 81 Comm: cat Tainted: G           O  K    6.1.192-debug-gcc-12 #1
[   10.000006] Call Trace:
[   10.000007]  <TASK>
[   10.000008]  __might_fault+0x5c/0x90
"""
    (found,) = classify_text(text)
    assert (found.name, found.function) == ("atomic-sleep", "lph_show+0x43/0x70 [lph_fault]")
    assert found.task == "cat:81"
