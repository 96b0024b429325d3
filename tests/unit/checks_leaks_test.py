"""Memory that was lost, as kmemleak told at the trial's end; and where in the source that was."""

from checks_clauses import FAIL, PASS
from checks_samples import BOOTED, SECOND, assert_verdict, clean, expecting, insert, said

from lpharness.checks import Recording
from lpharness.timeline.events import Leak, LeaksScanned, SourcePlaces

STACK = ("kmalloc_trace+0x26/0xb0", "lph_show+0x2b/0x42 [lph_case]", "seq_read_iter+0x29b/0x770")
AT_END = 8.0
BEFORE, SINCE = BOOTED - SECOND, BOOTED + 5 * SECOND


def leak(at: int, stack: tuple[str, ...] = STACK) -> Leak:
    return Leak(
        address="0xffff8880021bfc00", bytes=512, comm="cat", pid=77, allocated_ns=at, stack=stack
    )


def scanned(*leaks: Leak, detail: str = "") -> Recording:
    return insert(clean(), AT_END, LeaksScanned, leaks=leaks, detail=detail)


def test_memory_lost_since_the_load_is_a_fault_and_the_allocator_is_passed_over() -> None:
    assert_verdict(
        "healthy", scanned(leak(SINCE), leak(SINCE)), FAIL,
        "memory leak: 2 times 512 bytes allocated in lph_show+0x2b/0x42 [lph_case], task cat:77",
    )  # fmt: skip


def test_memory_lost_before_the_load_is_not_the_patches() -> None:
    assert_verdict("healthy", scanned(leak(BEFORE)), PASS, "nothing bad")


def test_what_leaked_in_the_same_way_before_is_not_blamed_later() -> None:
    assert_verdict("healthy", scanned(leak(BEFORE), leak(SINCE)), PASS, "nothing bad")
    other = leak(SINCE, ("kmemdup+0x1/0x2", "other+0x1/0x2"))
    assert_verdict("healthy", scanned(leak(BEFORE), other), FAIL, "allocated in other+0x1/0x2")


def test_a_case_may_expect_to_lose_memory() -> None:
    recording = expecting(scanned(leak(SINCE)), console=("kmemleak",))
    assert_verdict("healthy", recording, PASS, "nothing bad")


def test_the_line_that_our_own_scan_makes_the_kernel_print_is_judged_by_the_leaks() -> None:
    line = "[   18.000000] kmemleak: 1 new suspected memory leaks (see /sys/kernel/debug/kmemleak)"
    assert_verdict("healthy", said(scanned(leak(BEFORE)), line), PASS, "nothing bad")
    assert_verdict("healthy", said(clean(), line), FAIL, "console: kmemleak")


def test_a_scan_that_was_refused_speaks_neither_for_nor_against() -> None:
    result = assert_verdict("healthy", scanned(detail="kmemleak does not scan"), PASS, "nothing")
    assert any(e.seen == "kmemleak does not scan" and e.good is None for e in result.evidence)


def test_places_in_the_source_are_told_with_what_is_wrong() -> None:
    frame, place = STACK[1], "lph_case.c:11"
    recording = insert(scanned(leak(SINCE)), AT_END, SourcePlaces, places={frame: place})
    assert_verdict("healthy", recording, FAIL, f"allocated in {frame} at {place}")


def test_a_report_on_the_console_is_told_with_its_place() -> None:
    frame, place = "lph_show+0x5/0x23 [lph_case]", "lph_case.c:17"
    recording = said(
        insert(clean(), AT_END, SourcePlaces, places={frame: place}),
        f"[   12.500000] BUG: KASAN: use-after-free in {frame}",
        "[   12.500100] Write of size 1 at addr ffff8880021bfc08 by task cat/77",
    )
    assert_verdict("healthy", recording, FAIL, f"in {frame} at {place}")
