"""Changes of source that a guest can show, and the trials that show them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from emit_support import CMDLINE, TASK_MMU, calls_a_helper, counts_in_a_shadow, prints_more
from msgspec import Struct

from lpharness.base.errors import HostError
from lpharness.cases import load
from lpharness.results.folder import RunFolder
from lpharness.results.model import Trial, Verdict
from lpharness.run import Request, execute, plan_run


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
# It tells the console of mappings, which is far slower than showing them.
[expect]
slowdown = 200
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
