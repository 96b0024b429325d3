"""What a process's threads ran and waited, as the host's scheduler accounts for it."""

import os
from pathlib import Path

import pytest

from lpharness.guests.contract import CpuShare
from lpharness.guests.cpu_share import ShareReader

PID = 77
MS = 1_000_000


class Host:
    """A ``/proc`` with one process, and a clock."""

    def __init__(self, proc: Path) -> None:
        self.proc = proc
        self.now = 0
        self.reader = ShareReader(PID, proc, lambda: self.now)

    def thread(self, tid: int, run_ms: int, waited_ms: int, state: str = "S") -> None:
        folder = self.proc / str(PID) / "task" / str(tid)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "schedstat").write_text(f"{run_ms * MS} {waited_ms * MS} 9\n")
        (folder / "stat").write_text(f"{tid} (a (b) c) {state} 1 1 1\n")

    def end_thread(self, tid: int) -> None:
        folder = self.proc / str(PID) / "task" / str(tid)
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()

    def share_after(self, ms: int) -> tuple[int, int] | None:
        self.now += ms * MS
        share = self.reader.read()
        return None if share is None else (share.run_ns // MS, share.waited_ns // MS)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    host = Host(tmp_path)
    host.thread(77, run_ms=500, waited_ms=900)
    assert host.reader.read() == CpuShare(run_ns=0, waited_ns=0)
    return host


def test_counts_from_the_first_look(host: Host) -> None:
    host.thread(77, run_ms=512, waited_ms=905)
    assert host.share_after(20) == (12, 5)


def test_adds_up_all_threads_also_new_ones(host: Host) -> None:
    host.thread(77, run_ms=510, waited_ms=905)
    host.thread(78, run_ms=15, waited_ms=3)
    assert host.share_after(20) == (25, 8)


def test_threads_that_wait_at_once_wait_no_longer_than_it_took(host: Host) -> None:
    host.thread(77, run_ms=500, waited_ms=920)
    host.thread(78, run_ms=0, waited_ms=20)
    assert host.share_after(20) == (0, 20)


def test_a_wait_is_counted_when_it_is_over_however_long_it_was(host: Host) -> None:
    assert host.share_after(20) == (0, 0)
    assert host.share_after(20) == (0, 0)
    host.thread(77, run_ms=500, waited_ms=960)
    host.thread(78, run_ms=0, waited_ms=20)
    assert host.share_after(20) == (0, 60)


def test_what_an_ended_thread_used_is_kept(host: Host) -> None:
    host.thread(78, run_ms=15, waited_ms=3)
    host.share_after(20)
    host.end_thread(78)
    host.thread(77, run_ms=501, waited_ms=900)
    assert host.share_after(20) == (16, 3)


@pytest.mark.parametrize("state", ["D", "T", "t"])
def test_a_thread_that_is_held_waits(host: Host, state: str) -> None:
    host.thread(77, run_ms=500, waited_ms=900, state=state)
    assert host.share_after(20) == (0, 20)


def test_a_thread_that_sleeps_does_not_wait(host: Host) -> None:
    assert host.share_after(20) == (0, 0)


def test_a_process_that_is_gone_tells_nothing(host: Host) -> None:
    host.end_thread(77)
    assert host.share_after(20) is None


def test_a_kernel_without_the_account_tells_nothing(host: Host) -> None:
    (host.proc / str(PID) / "task/77/schedstat").unlink()
    assert host.share_after(20) is None


def test_reads_this_kernels_own_account() -> None:
    reader = ShareReader(os.getpid())
    before = reader.read()
    sum(range(1_000_000))
    after = reader.read()
    assert before is not None
    assert after is not None
    assert after.run_ns > before.run_ns
