"""Livepatches of source diffs in real guests: they load, do what the diff says, and come out."""

from __future__ import annotations

from pathlib import Path

import pytest
from emit_support import KERNELS, case, edited, kernel
from emit_trials import CHANGES, expect_pass, tried

from lpharness.results.model import Trial

SHIPPED = "ext4-mballoc-null-folio"
FLAWED = "debian:6.1.0-55-cloud-amd64"


@pytest.mark.parametrize("spec", KERNELS)
@pytest.mark.parametrize("name", CHANGES)
def test_a_diff_does_in_a_guest_what_it_says(name: str, spec: str, tmp_path: Path) -> None:
    change = CHANGES[name]
    written = tmp_path / "made-of-a-diff"
    written.mkdir()
    case(written, edited(spec, change.path, change.edit), change.body)
    expect_pass(tried(written, spec, tmp_path / "run"))


def test_the_shipped_fix_heals_it_under_write_load(tmp_path: Path) -> None:
    """Its flaw is real: the kernel oopses without it, in a guest of its own."""
    kernel(FLAWED)
    trials = tried(SHIPPED, FLAWED, tmp_path / "run")
    expect_pass(trials)
    expect_oops(trials)


def test_the_shipped_fix_in_a_module_that_comes_before_or_after(tmp_path: Path) -> None:
    kernel("debian:6.1.0-55-amd64")
    trials = tried(f"{SHIPPED}-module", "debian:6.1.0-55-amd64", tmp_path / "run")
    assert len(trials) == 2
    expect_pass(trials)
    expect_oops(trials)


def expect_oops(trials: list[Trial]) -> None:
    for trial in trials:
        (flaw,) = [check for check in trial.checks if check.check == "flaw"]
        shown = [item for item in flaw.evidence if item.control and item.good]
        assert any(
            "BUG: kernel NULL pointer" in one.seen and "ext4_mb_" in one.seen for one in shown
        )
