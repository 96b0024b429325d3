"""Trials on a real Dask cluster whose workers have nothing but the package and QEMU."""

from __future__ import annotations

import json
import os
import random
import subprocess
from pathlib import Path

import psutil
from cli_support import KERNEL, LPHARNESS
from dask_cluster import Cluster, cluster
from guest_support import soon, spec

MATRIX = f"""
cases = ["cmdline"]
kernels = ["{KERNEL}"]
workloads = ["idle"]
repeats = 3
"""


def test_trials_survive_a_worker_that_is_killed_at_random(tmp_path: Path) -> None:
    spec()  # skips where no guest can be had
    (tmp_path / "release.toml").write_text(MATRIX)
    with cluster(tmp_path / "cluster", workers=2) as ours:
        done = run_and_kill(ours, tmp_path)
        family = ours.family()
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert [trial["verdict"] for trial in answer["trials"]] == ["pass"] * 3
    assert answer["flaky"] == []
    attempts = (tmp_path / "run" / "attempts.jsonl").read_text().splitlines()
    assert {json.loads(line)["where"] for line in attempts} <= {"worker-0", "worker-1"}
    for trial in (tmp_path / "run" / "trials").iterdir():
        assert (trial / "timeline.jsonl").stat().st_size > 0
        assert (trial / "console.log").is_file()
    _, alive = psutil.wait_procs(family, timeout=60)
    assert alive == []


def run_and_kill(ours: Cluster, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the matrix; when a guest is up somewhere, kill the worker that it belongs to."""
    command = [*LPHARNESS, "run", "--matrix", "release.toml", "-o", "run", "--json"]
    with subprocess.Popen(
        [*command, "--executor", ours.address], cwd=folder,
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as running:  # fmt: skip
        deadline = soon()
        while not (guests := [p for p in ours.family() if _name(p).startswith("qemu-system")]):
            deadline.check("a guest on a worker")
            assert running.poll() is None, running.stderr and running.stderr.read()
        worker = random.choice(guests).parents()[1]  # guest, child, worker
        worker.kill()
        out, err = running.communicate(timeout=300)
    return subprocess.CompletedProcess(command, running.returncode, out, err)


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.Error:
        return ""
