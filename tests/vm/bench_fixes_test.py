"""The benchmark of shipped fixes, on the two versions between which one file changed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from emit_support import kernel

OLD, NEW, KERNEL = "6.1.192-1", "6.1.192-2", "debian:6.1.0-55-cloud-amd64"
COMMAND = [sys.executable, "-m", "lpharness.cli", "bench", "fixes", "--from", OLD, "--to", NEW]


def command(folder: Path, *more: str) -> list[str]:
    return [*COMMAND, "-k", KERNEL, "--sample", "5", "-o", str(folder), "--json", *more]


def bench(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    kernel(KERNEL)
    return subprocess.run(command(folder, *more), capture_output=True, text=True, check=False)


def test_the_one_fix_comes_out_clean_and_is_not_taken_twice(tmp_path: Path) -> None:
    done = bench(tmp_path / "run")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    (fix,) = document["fixes"]
    assert (fix["path"], fix["outcome"], fix["verdict"]) == ("fs/ext4/mballoc.c", "clean", "pass")
    assert fix["functions"] == 2
    assert fix["transition_s"] > 0
    assert document["accounts"][0]["asked"] == 1
    page = (tmp_path / "run" / "fixes.md").read_text()
    assert "| sample | 1 | 0 | 0 | 1 | 1 |" in page

    again = bench(tmp_path / "run")
    assert json.loads(again.stdout)["fixes"] == [fix]
    assert "compile" not in again.stderr

    other = bench(tmp_path / "run", "--seed", "2")
    assert other.returncode == 2
    assert "other settings" in other.stderr


def test_a_kernel_of_another_version_is_refused(tmp_path: Path) -> None:
    kernel("debian:6.1-cloud")
    done = subprocess.run(
        [*COMMAND, "-k", "debian:6.1-cloud", "-o", str(tmp_path / "run")],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        pytest.skip(f"debian:6.1-cloud is {OLD} itself")
    assert done.returncode == 2
    assert f"not from {OLD}" in done.stderr


def test_nothing_outlives_a_kill(tmp_path: Path) -> None:
    kernel(KERNEL)
    with subprocess.Popen(
        command(tmp_path / "run"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as running:
        family: list[psutil.Process] = []
        until = time.monotonic() + 120
        while not any("lpharness.executor.child" in _words(process) for process in family):
            assert running.poll() is None
            assert time.monotonic() < until
            family = psutil.Process(running.pid).children(recursive=True)
        os.kill(running.pid, signal.SIGKILL)
        _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []


def _words(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
