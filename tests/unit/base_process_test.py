"""Programs and what they started end with us, whatever ends us."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lpharness.base.errors import HostError
from lpharness.base.process import run_to_end

LONG_S = 60
FAMILY = 'sleep 600 & echo $! > "$0"; wait'
"""A program that tells of its child, and waits for it."""
HARNESS = """
import signal, sys
from lpharness.base.process import run_to_end
signal.signal(signal.SIGINT, signal.default_int_handler)
run_to_end(["sh", "-c", sys.argv[1], sys.argv[2]], what="wait", seconds=600)
"""


@pytest.fixture
def told(tmp_path: Path) -> Path:
    path = tmp_path / "told"
    os.mkfifo(path)
    return path


@contextmanager
def watched(told: Path) -> Iterator[int]:
    """Wait until a program told of its child, and give a handle of that."""
    handle = os.pidfd_open(int(told.read_text()))
    try:
        yield handle
    finally:
        os.close(handle)


def ended(handle: int) -> bool:
    return bool(select.select([handle], [], [], LONG_S)[0])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_childs_child_ends_with_the_harness(number: signal.Signals, told: Path) -> None:
    harness = subprocess.Popen(
        [sys.executable, "-c", HARNESS, FAMILY, str(told)], stderr=subprocess.DEVNULL
    )
    with watched(told) as child:
        harness.send_signal(number)
        assert harness.wait(LONG_S) != 0
        assert ended(child)


def test_a_childs_child_ends_when_stopped(told: Path) -> None:
    stop = threading.Event()
    stopped = []

    def run() -> None:
        try:
            run_to_end(["sh", "-c", FAMILY, str(told)], what="wait", seconds=600, stop=stop)
        except HostError as error:
            stopped.append(error.message)

    thread = threading.Thread(target=run)
    thread.start()
    with watched(told) as child:
        stop.set()
        assert ended(child)
    thread.join(LONG_S)
    assert stopped == ["stopped while about to wait"]


def test_too_long_is_told() -> None:
    with pytest.raises(HostError, match=r"cannot wait: no end after 0\.1 s"):
        run_to_end(["sleep", "600"], what="wait", seconds=0.1)


def test_what_it_said_and_how_it_ended(tmp_path: Path) -> None:
    done = run_to_end(
        ["sh", "-c", 'pwd; echo "$A$B" >&2; exit 7'],
        what="speak", seconds=LONG_S, folder=tmp_path, environment={"A": "a"},
    )  # fmt: skip
    assert (done.status, done.output.decode(), done.said) == (7, f"{tmp_path}\n", "a\n")
    both = run_to_end(["sh", "-c", "echo o; echo e >&2"], what="speak", seconds=9, one_stream=True)
    assert (both.output, both.said) == (b"o\ne\n", "")


def test_a_signal_is_told_as_shells_do() -> None:
    assert run_to_end(["sh", "-c", "kill -SEGV $$"], what="die", seconds=LONG_S).status == 139


def test_a_program_that_is_missing() -> None:
    with pytest.raises(HostError, match="cannot fly: no-such-program is not on this host"):
        run_to_end(["no-such-program"], what="fly", seconds=1)
