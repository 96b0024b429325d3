"""Livepatches of source diffs in real guests: they load, do what the diff says, and come out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from emit_support import (
    CMDLINE,
    KERNELS,
    TASK_MMU,
    calls_a_helper,
    case,
    counts_in_a_shadow,
    edited,
    kernel,
    prints_more,
)
from msgspec import Struct

from lpharness.base.deadline import Deadline
from lpharness.base.errors import GuestError, HostError
from lpharness.cases import load
from lpharness.console import Classifier
from lpharness.guests import backend
from lpharness.guests.contract import GuestSpec
from lpharness.images import build
from lpharness.results.folder import RunFolder
from lpharness.results.model import Trial, Verdict
from lpharness.run import Request, execute, plan_run

SHIPPED = "ext4-mballoc-null-folio"
FLAWED = "debian:6.1.0-55-cloud-amd64"


class Nobody:
    """Is told how a run goes."""

    def planned(self, trials: object) -> None: ...

    def phase(self, trial: object, phase: object) -> None: ...

    def finished(self, trial: object) -> None: ...


def tried(what: str | Path, spec: str, folder: Path) -> list[Trial]:
    request = Request(cases=(load(what),), kernels=(spec,))
    try:
        entries = plan_run(request)
    except HostError as error:
        pytest.skip(f"no compiler or QEMU: {error}")
    with RunFolder.create(folder) as run:
        execute(entries, request, run, Nobody())
        return run.trials()


def expect_pass(trials: list[Trial]) -> None:
    assert trials
    for trial in trials:
        answers = [(check.check, check.verdict.value, check.summary) for check in trial.checks]
        assert [one for one in answers if one[1] not in ("pass", "skip")] == []
        assert trial.verdict is Verdict.PASS


class Change(Struct):
    path: str
    edit: Callable[[str], str]
    body: str


CHANGES = {
    "text": Change(
        CMDLINE,
        prints_more,
        """
[drive]
run = "for i in 1 2 3 4 5; do cat /proc/cmdline; done >/dev/null"
file = "/proc/cmdline"
[[probe]]
name = "command-line"
run = "cat /proc/cmdline"
state.original.stdout.lacks = "patched"
state.patched.stdout.matches = "^patched from source: .*console="
""",
    ),
    "callbacks and a shadow variable": Change(
        CMDLINE,
        counts_in_a_shadow,
        r"""
[drive]
run = "for i in 1 2 3 4 5; do cat /proc/cmdline; done >/dev/null"
file = "/proc/cmdline"
[[probe]]
name = "command-line"
run = "cat /proc/cmdline; dmesg | grep lph:"
[probe.state.original]
exit = "any"
stdout.lacks = "shown"
[probe.state.patched]
stdout.matches = '''^shown \d+ times: (.*\n)+.*lph: pre_patch of vmlinux'''
""",
    ),
    "helper, strings, switch, warning, debug messages": Change(
        TASK_MMU,
        calls_a_helper,
        """
[drive]
run = "for i in 1 2 3 4 5; do cat /proc/self/maps; done >/dev/null"
file = "/proc/self/maps"
[[probe]]
name = "maps"
run = "cat /proc/self/maps | cut -d' ' -f2 | sort -u"
state.original.stdout.contains = "r-xp"
state.original.stdout.lacks = "R"
[probe.state.patched.stdout]
contains = "R-xp"
lacks = "r-xp"
matches = "^bw-p"
[[probe]]
name = "dynamic-debug"
run = '''
f=/sys/kernel/debug/dynamic_debug/control
echo 'module lph_diff +p' > $f
cat /proc/self/maps > /dev/null
grep -h lph_permission $f
echo 'module lph_diff -p' > $f
dmesg | grep 'lph: line' | tail -n 3
true'''
state.original.stdout.lacks = "=p"
[probe.state.patched.stdout]
contains = "lph: line "
matches = "lph_diff.lph_permission =p"
""",
    ),
}


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
