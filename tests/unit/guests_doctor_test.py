"""The doctor on a machine that lacks things; what it finds on a well one is in tests/vm."""

import json
import os
import subprocess
import sys
from pathlib import Path

from lpharness.guests.doctor import Doctor


def run_doctor(path: Path, cache: Path) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PATH": str(path), "LPHARNESS_CACHE": str(cache)}
    return subprocess.run(
        [sys.executable, "-m", "lpharness.cli", "doctor", "--json"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_machine_with_nothing(tmp_path):
    """Every examination is tried, each failure has a hint, and no traceback is seen."""
    (tmp_path / "bin").mkdir()
    done = run_doctor(tmp_path / "bin", tmp_path / "cache")
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
    document = json.loads(done.stdout)
    assert document["well"] is False
    found = {finding["name"]: finding for finding in document["findings"]}
    assert found["qemu"]["quality"] == "bad"
    assert "apt install" in found["qemu"]["hint"]
    for name in ("setpriv", "compiler", "kernel", "image", "boot", "restore"):
        assert found[name]["quality"] == "bad", found[name]
    assert found["libvirt"]["quality"] != "bad"


def test_what_cannot_be_tried_says_why():
    findings = {finding.name: finding for finding in [Doctor()._try("boot", Doctor()._boot)]}
    assert findings["boot"].quality == "bad"
    assert "no image" in findings["boot"].detail


def test_a_compiler_that_lies_is_seen(tmp_path, monkeypatch):
    gcc = tmp_path / "gcc"
    gcc.write_text("#!/bin/sh\nexit 0\n")
    gcc.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    found = Doctor()._try("compiler", Doctor._compiler)
    assert found.quality == "bad"
    assert "no static C program" in found.detail
