"""``lpharness bench`` prints every figure that the project bound itself to, with its bound."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_support import lpharness
from guest_support import spec

BOUNDS = {
    "guest": {
        "boot to first answer": 4.0,
        "restore to first answer": 0.6,
        "memory of the harness": 150.0,
    },
    "trial": {
        "C to module, cold": 6.0,
        "inspect": 0.3,
        "--help": 0.2,
        "whole trial": 12.0,
        "memory of the harness": 150.0,
    },
}


@pytest.mark.parametrize("what", BOUNDS)
def test_every_figure_is_printed_with_its_bound(what: str, tmp_path: Path) -> None:
    spec()  # skips where no guest can be had
    done = lpharness("bench", what, "-n", "1", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    bench = json.loads(done.stdout)
    assert bench["accelerator"] in ("kvm", "tcg")
    assert len(bench["load"]) == 2
    figures = {figure["name"]: figure for figure in bench["figures"]}
    bounds = {name: figure["bound"] for name, figure in figures.items() if figure["bound"]}
    assert bounds == BOUNDS[what]
    assert all(figure["samples"] for figure in figures.values())
    memory = figures["memory of the harness"]
    assert memory["samples"][0] <= memory["bound"]  # no time, so no matter of the host's load
    if what == "trial":
        assert figures["trials that passed, of all"]["samples"] == [1.0]


def test_runs_of_many_trials_are_measured(tmp_path: Path) -> None:
    spec()  # skips where no guest can be had
    few = ["-n", "1", "-j", "2", "--results", "20", "--no-cluster"]
    done = lpharness("bench", "run", *few, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    bench = json.loads(done.stdout)
    assert bench["accelerator"] in ("kvm", "tcg")
    figures = {figure["name"]: figure for figure in bench["figures"]}
    assert figures.keys() == {
        "trials a minute, 2 at a time",
        "start of a resumed run",
        "memory with 20 results",
        "that one trial, and all reports",
    }
    assert figures["start of a resumed run"]["bound"] == 2.0
    assert all(figure["samples"][0] > 0 for figure in figures.values())
