"""``lpharness shell``: a terminal in a guest, a command, a script."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_support import KERNEL, LPHARNESS, complaint, lpharness
from guest_support import soon, spec

ROWS, COLUMNS = 33, 101
SHELL = [*LPHARNESS, "shell", "-k", KERNEL]


class Typist:
    """Sits at a terminal that the command runs on."""

    def __init__(self) -> None:
        self._screen, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.settings = termios.tcgetattr(theirs)
        self.process = subprocess.Popen(
            SHELL, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            env={**os.environ, "TERM": "xterm"},
        )  # fmt: skip
        self._theirs = theirs
        self._unread = b""

    def sees(self, text: str) -> None:
        """Wait until something is on the screen."""
        deadline = soon()
        while text.encode() not in self._unread:
            deadline.check(f"{text!r} did not come, but {self._unread!r}")
            if select.select([self._screen], [], [], 0.5)[0]:
                self._unread += os.read(self._screen, 4096)
        self._unread = self._unread.partition(text.encode())[2]

    def types(self, text: str) -> None:
        os.write(self._screen, text.encode())

    def leaves(self) -> int:
        """Return the exit status; the terminal must be as it was."""
        status = self.process.wait(60)
        assert termios.tcgetattr(self._theirs) == self.settings
        return status

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._screen)
        os.close(self._theirs)


@pytest.fixture
def typist() -> Iterator[Typist]:
    spec()  # skips where no guest can be had
    someone = Typist()
    yield someone
    someone.close()


def test_a_terminal_of_the_same_size(typist: Typist) -> None:
    typist.sees("# ")
    typist.types("tty; stty size\n")
    typist.sees("/dev/pts/")
    typist.sees(f"{ROWS} {COLUMNS}")
    typist.types("exit 7\n")
    assert typist.leaves() == 7


def test_ctrl_c_is_for_what_runs_in_the_guest(typist: Typist) -> None:
    typist.sees("# ")
    # In one process: busybox's shell can miss a Ctrl-C while it starts the next program of a list.
    typist.types("sh -c \"echo be''gan; exec sleep 1000\"\n")
    typist.sees("began")
    typist.types("\x03")
    typist.sees("# ")
    typist.types("echo status $?\n")
    typist.sees("status 130")
    typist.types("\x04")
    assert typist.leaves() == 0


def test_a_guest_that_dies_ends_the_terminal(typist: Typist) -> None:
    typist.sees("# ")
    typist.types("echo c >/proc/sysrq-trigger\n")
    typist.sees("lpharness: ")
    typist.sees("panic")
    assert typist.leaves() == 3


def test_a_command() -> None:
    spec()
    done = subprocess.run([*SHELL, "-c", "echo out; echo err >&2; exit 9"], capture_output=True)
    assert (done.returncode, done.stdout, done.stderr[-4:]) == (9, b"out\n", b"err\n")


def test_files_are_carried_along(tmp_path: Path) -> None:
    spec()
    (tmp_path / "notes").write_text("some text\n")
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\ncat /tmp/notes\n")
    program.chmod(0o755)
    files = ["--file", tmp_path / "notes", "--file", program]
    done = subprocess.run([*SHELL, *files, "-c", "/tmp/program"], capture_output=True)
    assert (done.returncode, done.stdout) == (0, b"some text\n")


def test_a_file_that_cannot_be_carried_is_named_before_a_guest_is_started(tmp_path: Path) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "notes").touch()
    missing = ["--file", tmp_path / "none"]
    twice = ["--file", tmp_path / "here" / "notes", "--file", tmp_path / "there" / "notes"]
    for files, said in ((missing, "no such file"), (twice, "two files are named notes")):
        done = lpharness("shell", "-k", KERNEL, *files, cwd=tmp_path)
        assert said in complaint(done, 2)


def test_a_script_on_standard_input() -> None:
    spec()
    done = subprocess.run(SHELL, input=b"x=4\necho $x\nexit $x\n", capture_output=True)
    assert (done.returncode, done.stdout) == (4, b"4\n")
