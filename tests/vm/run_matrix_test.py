"""A matrix on a real machine: several at a time, interrupted, and gone on with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
from cli_support import KERNEL, LPHARNESS, lpharness
from guest_support import soon, spec

MATRIX = f"""
cases = ["cmdline"]
kernels = ["{KERNEL}"]
workloads = ["idle", "sleepers"]
repeats = 2
"""


def documents(run: Path) -> dict[str, int]:
    """Return the trials that are through, and when their documents were written."""
    found = {}
    for document in run.glob("trials/*/trial.json"):
        if json.loads(document.read_text())["finished"]:
            found[document.parent.name] = document.stat().st_mtime_ns
    return found


def test_an_interrupted_matrix_leaves_nothing_and_is_gone_on_with(tmp_path: Path) -> None:
    spec()  # skips where no guest can be had; makes what the run below would have to make
    (tmp_path / "release.toml").write_text(MATRIX)
    run = tmp_path / "run"
    family = interrupt_while_two_run(tmp_path, run)
    _, alive = psutil.wait_procs(family, timeout=60)
    assert alive == []
    assert (run / "report.html").is_file()
    before = documents(run)

    done = lpharness("run", "--resume", run, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    verdicts = sorted((t["id"]["workload"], t["verdict"]) for t in answer["trials"])
    assert verdicts == [("idle", "pass")] * 2 + [("sleepers", "skip")] * 2
    assert {name: at for name, at in documents(run).items() if name in before} == before
    skipped = next(t for t in answer["trials"] if t["verdict"] == "skip")
    assert "sleepers needs `park`" in skipped["reason"]

    through = documents(run)
    again = lpharness("run", "--resume", run, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert documents(run) == through


def interrupt_while_two_run(folder: Path, run: Path) -> list[psutil.Process]:
    """Begin the matrix, and end it by Ctrl-C once two guests run; return all that it started."""
    with subprocess.Popen(
        [*LPHARNESS, "run", "--matrix", "release.toml", "-j", "2", "-o", str(run)],
        cwd=folder, env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    ) as running:  # fmt: skip
        deadline = soon()
        family: list[psutil.Process] = []
        while sum(_name(process).startswith("qemu-system") for process in family) < 2:
            deadline.check("two guests at a time")
            assert running.poll() is None, running.stderr and running.stderr.read()
            family = psutil.Process(running.pid).children(recursive=True)
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Traceback" not in said
    return family


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.Error:
        return ""
