"""Livepatches of source diffs in real guests: they load, do what the diff says, and come out."""

from __future__ import annotations

from pathlib import Path

import pytest
from emit_support import KERNELS, case, edited, kernel
from emit_trials import CHANGES, expect_pass, tried

from lpharness.base.deadline import Deadline
from lpharness.base.errors import GuestError
from lpharness.cases import load
from lpharness.console import Classifier
from lpharness.guests import backend
from lpharness.guests.contract import GuestSpec
from lpharness.images import build

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


def test_the_shipped_flaw_is_real(tmp_path: Path) -> None:
    """The case's own probe, told that the patch is there when it is not: the guest oopses."""
    found = kernel(FLAWED)
    (probe,) = load(SHIPPED).probes
    trigger = probe.run.partition("\n")[2]
    image = build("minimal", found, guest_modules=("loop",))
    log = tmp_path / "console"
    deadline = Deadline.after(120)
    spec = GuestSpec(kernel=found, image=image)
    with backend("qemu").start(spec, console_log=log, deadline=deadline) as guest:
        try:
            for command in (*load(SHIPPED).setup, trigger):
                result = guest.transport.run(command, deadline=deadline.sooner(20))
            survived = "survived" in result.text
        except GuestError:
            survived = False
    classifier = Classifier()
    findings = [*classifier.feed(log.read_bytes()), *classifier.finish()]
    guilty = [f for f in findings if f.severity in ("bad", "fatal") and "ext4_mb_" in f.function]
    assert not survived
    assert guilty, [finding.text for finding in findings]


def test_the_shipped_fix_heals_it_under_write_load(tmp_path: Path) -> None:
    kernel(FLAWED)
    expect_pass(tried(SHIPPED, FLAWED, tmp_path / "run"))


def test_the_shipped_fix_in_a_module_that_comes_before_or_after(tmp_path: Path) -> None:
    kernel("debian:6.1.0-55-amd64")
    trials = tried(f"{SHIPPED}-module", "debian:6.1.0-55-amd64", tmp_path / "run")
    assert len(trials) == 2
    expect_pass(trials)
