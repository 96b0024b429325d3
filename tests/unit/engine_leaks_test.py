"""kmemleak's report, as 6.1 and 6.12 write it."""

from lpharness.engine.leaks import read_leaks

OLDER = """unreferenced object 0xffff8880021bfc00 (size 512):
  comm "cat", pid 77, jiffies 4294926129 (age 12.340s)
  hex dump (first 32 bytes):
    01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00  ................
    00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00  ................
  backtrace:
    [<00000000d1b0f4a5>] kmalloc_trace+0x26/0xb0
    [<00000000a32bd0ca>] 0xffffffffc0a0102b
    [<000000006a41d3f0>] seq_read_iter+0x29b/0x770
unreferenced object 0xffff888004836000 (size 96):
  comm "a name", pid 79, jiffies 4294926621 (age 10.372s)
  hex dump (first 32 bytes):
    00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00  ................
  backtrace:
    [<00000000d1b0f4a5>] lph_more+0x2b/0x42 [lph_other]
"""
NEWER = """unreferenced object 0xffff888004836000 (size 96):
  comm "cat", pid 79, jiffies 4294926621
  hex dump (first 32 bytes):
    00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00  ................
  backtrace (crc 5d4e1f0a):
    __kmalloc_cache_noprof+0x26/0xb0
    lph_show+0x2b/0x42 [lph_leak]
"""
FUNCTIONS = [(0xFFFFFFFFC0A01000, "lph_show [lph_leak]"), (0xFFFFFFFFC0A01050, "f [lph_leak]")]


def test_an_older_kernels_report() -> None:
    first, second = read_leaks(OLDER, 250)
    assert (first.address, first.bytes, first.comm, first.pid) == (
        "0xffff8880021bfc00", 512, "cat", 77,
    )  # fmt: skip
    assert first.allocated_ns == 135_332_000_000  # jiffies begin five minutes before they wrap
    assert (second.comm, second.stack) == ("a name", ("lph_more+0x2b/0x42 [lph_other]",))


def test_a_newer_kernels_report_has_no_age_and_no_hashes() -> None:
    (only,) = read_leaks(NEWER, 250)
    assert only.stack == ("__kmalloc_cache_noprof+0x26/0xb0", "lph_show+0x2b/0x42 [lph_leak]")


def test_functions_of_a_module_that_is_gone_are_named_by_where_they_were() -> None:
    first, _ = read_leaks(OLDER, 250, FUNCTIONS)
    assert first.stack[1] == "lph_show+0x2b/0x50 [lph_leak]"


def test_an_address_that_nobody_remembers_stays_one() -> None:
    assert read_leaks(OLDER, 250)[0].stack[1] == "0xffffffffc0a0102b"
    far = [(0xFFFFFFFFC0000000, "f [m]")]
    assert read_leaks(OLDER, 250, far)[0].stack[1] == "0xffffffffc0a0102b"


def test_no_leak_is_no_leak() -> None:
    assert read_leaks("", 250) == []
