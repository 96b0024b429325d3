"""A run interrupted in any phase leaves no QEMU, and a folder that tells the truth."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from cli_support import KERNEL, LPHARNESS, lpharness
from guest_support import soon, spec

from lpharness.timeline.events import Phase

MOMENTS = [
    (signal.SIGINT, Phase.BOOT),
    (signal.SIGINT, Phase.BASELINE),
    (signal.SIGINT, Phase.TRANSITION),
    (signal.SIGINT, Phase.STEADY),
    (signal.SIGINT, Phase.UNLOAD),
    (signal.SIGINT, Phase.SELFTEST),
    (signal.SIGTERM, Phase.STEADY),
    (signal.SIGKILL, Phase.BOOT),
    (signal.SIGKILL, Phase.TRANSITION),
    (signal.SIGKILL, Phase.UNLOAD),
]


def alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_for_phase(run: subprocess.Popen[str], out: Path, phase: Phase) -> Path:
    """Return the trial's folder once its document tells of the phase."""
    deadline = soon()
    while run.poll() is None:
        for document in out.glob("trials/*/trial.json"):
            if f"interrupted in phase {phase}" in document.read_text():
                return document.parent
        deadline.check(f"phase {phase} did not come")
        time.sleep(0.02)
    raise AssertionError(f"the run ended before phase {phase}: {run.stderr and run.stderr.read()}")


@pytest.mark.parametrize(
    ("number", "phase"), MOMENTS, ids=[f"{number.name} {phase}" for number, phase in MOMENTS]
)
def test_interrupted(number: signal.Signals, phase: Phase, tmp_path: Path) -> None:
    spec()  # skips where no guest can be had; makes what the run below would have to make
    temporary, out = tmp_path / "temporary", tmp_path / "out"
    temporary.mkdir()
    # Only a transition that must wait is long enough to be met.
    what = ["run", "stall" if phase is Phase.TRANSITION else "cmdline"]
    if phase is Phase.SELFTEST:
        what = ["selftest", "sysfs"]
    run = subprocess.Popen(
        [*LPHARNESS, *what, "-k", KERNEL, "-o", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    try:
        folder = wait_for_phase(run, out, phase)
        children = psutil.Process(run.pid).children(recursive=True)
        if phase is not Phase.BOOT:  # where it may not have started yet
            assert any(child.name().startswith("qemu-system") for child in children)
        run.send_signal(number)
        stdout, stderr = run.communicate(timeout=60)
    finally:
        run.kill()
        run.wait()
    expect_the_way_out(number, run.returncode, stdout, stderr)
    deadline = soon()
    while any(alive(child) for child in children):
        deadline.check("a process is still there")
    assert list(temporary.iterdir()) == []
    assert not [path for path in tmp_path.rglob("*") if path.is_socket()]
    expect_the_truth(folder, phase, reports=number != signal.SIGKILL)
    expect_that_others_go_on(out, phase)


def expect_the_way_out(number: int, status: int, stdout: str, stderr: str) -> None:
    assert stdout == ""
    if number == signal.SIGKILL:
        assert status == -signal.SIGKILL
        return
    assert status == 128 + number
    assert "Traceback" not in stderr
    word = "interrupted" if number == signal.SIGINT else "terminated"
    assert stderr.splitlines()[-1].startswith(f"lpharness: {word}")


def expect_the_truth(folder: Path, phase: Phase, *, reports: bool) -> None:
    """Its document is whole, and says how far it came."""
    document = json.loads((folder / "trial.json").read_text())
    assert (document["verdict"], document["finished"]) == ("error", False)
    assert document["reason"] == f"interrupted in phase {phase}"
    if phase is not Phase.BOOT:
        assert document["provenance"]["accelerator"]
    assert (folder.parent.parent / "report.html").is_file() == reports


def expect_that_others_go_on(out: Path, phase: Phase) -> None:
    """The folder can be reported on, judged, and taken up again."""
    cwd = out.parent
    assert lpharness("report", out, cwd=cwd).returncode == 0
    assert (out / "report.html").is_file()
    judged = lpharness("judge", out, "--json", cwd=cwd)
    assert judged.returncode == 3, judged.stderr
    (trial,) = json.loads(judged.stdout)["trials"]
    assert (trial["verdict"], trial["reason"]) == (
        "error",
        f"harness: interrupted in phase {phase}",
    )
