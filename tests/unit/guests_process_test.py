"""A guest's process: what it says, and how it ends."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from lpharness.guests.process import Child


def test_what_qemu_says_at_length_is_told_in_one_line(tmp_path: Path) -> None:
    """As of a KVM that breaks in QEMU: an error, then an assertion."""
    qemu = tmp_path / "qemu-system-x86_64"
    qemu.write_text(
        "#!/bin/sh\necho 'qemu: error: no MSR' >&2\necho 'it ends' >&2\nkill -ABRT $$\n"
    )
    qemu.chmod(0o755)
    child = Child([str(qemu)])
    assert child.exit_status(30.0) == -6
    assert (child.stderr(), child.complaint()) == ("qemu: error: no MSR\nit ends", "error: no MSR")
    child.end()
    assert child.complaint() == "error: no MSR"


def test_a_process_that_says_nothing() -> None:
    child = Child(["true"])
    assert child.exit_status(30.0) == 0
    assert child.complaint() == ""
    child.end()


HARNESS = """
import sys
from lpharness.guests.process import Child
print(Child(["sleep", "600"]).pid, flush=True)
sys.stdin.read()
"""
LATE = """#!/bin/sh
# Is told of its parent's end only once that parent is gone.
while kill -0 "$PPID" 2>/dev/null; do sleep 0.05; done
exec {setpriv} "$@"
"""


def test_a_child_that_had_just_been_started_ends_with_a_killed_harness(tmp_path: Path) -> None:
    """The kernel tells only of ends that come after it was asked to."""
    late = tmp_path / "setpriv"
    late.write_text(LATE.format(setpriv=shutil.which("setpriv")))
    late.chmod(0o755)
    with subprocess.Popen(
        [sys.executable, "-c", HARNESS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
    ) as harness:
        assert harness.stdout is not None
        child = psutil.Process(int(harness.stdout.readline()))
        os.kill(harness.pid, signal.SIGKILL)
    try:
        _, alive = psutil.wait_procs([child], timeout=90)
        assert alive == []
    finally:
        if child.is_running():
            child.kill()
