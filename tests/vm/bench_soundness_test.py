"""The benchmark of clean trials: what is tried, gone on with and left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
from emit_support import kernel

KERNEL = "debian:6.1-cloud"
COMMAND = [sys.executable, "-m", "lpharness.cli", "bench", "soundness", "cmdline", "-k", KERNEL]


def command(folder: Path, *more: str) -> list[str]:
    kernel(KERNEL)
    return [*COMMAND, "-w", "idle", "-w", "proc-reader", "-o", str(folder), "--json", *more]


def bench(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(folder, *more), capture_output=True, text=True, check=False)


def test_clean_trials_pass_and_are_not_made_twice(tmp_path: Path) -> None:
    done = bench(tmp_path / "run", "-n", "1", "-j", "1")
    assert done.returncode == 0, done.stderr
    (first,) = (tmp_path / "run" / "trials").iterdir()
    written = (first / "trial.json").stat().st_mtime_ns

    more = bench(tmp_path / "run", "-n", "2", "-j", "1")
    assert more.returncode == 0, more.stderr
    account = json.loads(more.stdout)
    assert account["verdicts"] == {"pass": 2}
    assert account["workloads"] == {"idle": {"pass": 1}, "proc-reader": {"pass": 1}}
    assert {"patching", "unpatching", "a worker's longest gap"} <= {
        bound["name"] for bound in account["bounds"]
    }
    assert all(bound["most"] < 1 for bound in account["bounds"])
    assert (first / "trial.json").stat().st_mtime_ns == written
    assert "2 of 2 trials, 2 pass" in (tmp_path / "run" / "soundness.md").read_text()

    other = bench(tmp_path / "run", "--seed", "2")
    assert other.returncode == 2
    assert "other settings" in other.stderr


def test_nothing_outlives_a_kill(tmp_path: Path) -> None:
    with subprocess.Popen(
        command(tmp_path / "run", "-n", "1"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as running:
        family: list[psutil.Process] = []
        until = time.monotonic() + 180
        while not any(_name(process).startswith("qemu-system") for process in family):
            assert running.poll() is None
            assert time.monotonic() < until
            family = psutil.Process(running.pid).children(recursive=True)
        os.kill(running.pid, signal.SIGKILL)
        _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.Error:
        return ""
