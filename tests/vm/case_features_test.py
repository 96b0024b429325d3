"""What a case can say beyond a probe: edits, a flaw, a patched base, a build that is refused."""

from __future__ import annotations

import json
from pathlib import Path

import emit_trials
import pytest
from cli_support import lpharness
from emit_support import KERNELS, kernel

from lpharness.checks.rejudge import rejudge
from lpharness.results.folder import RunFolder
from lpharness.results.model import Trial, Verdict
from lpharness.results.writers import write_reports
from lpharness.timeline.events import FlawTried, ModuleLoadTried

OLD = KERNELS[0]

# Both kernels' cmdline_proc_show() ends so.
EDIT = r"""
title = "/proc/cmdline ends with a dot"
workloads = ["proc-reader"]

[drive]
run = "for i in 1 2 3 4 5; do cat /proc/cmdline; done >/dev/null"
file = "/proc/cmdline"

[[module]]
name = "lph_dot"

[module.built]
objects = ["vmlinux"]
lacks = ["cmdline_proc_*_not"]
symbols = [".klp.sym.vmlinux.saved_command_line,0"]
imports = ["*seq_put?"]

[[module.function]]
old = "cmdline_proc_show"

[[module.edit]]
file = "fs/proc/cmdline.c"
function = "cmdline_proc_show"
old = '''seq_putc( m, '\n' );'''
new = '''seq_puts(m, ".\n");'''
"""
FLAW = r"""
[flaw]
run = "cat /proc/cmdline"

[flaw.unpatched]
outcome.stdout.matches = '{unpatched}'

[flaw.patched]
stdout.matches = '\.$'
"""


def written(folder: Path, text: str, name: str = "made-here") -> Path:
    case = folder / name
    case.mkdir()
    (case / "case.toml").write_text(text)
    return case


def tried(what: str | Path, spec: str, folder: Path) -> Trial:
    """Try a case, and see that reports show both guests and a replay comes to the same."""
    kernel(spec)
    (trial,) = emit_trials.tried(what, spec, folder)
    (again,) = rejudge(folder)
    assert (again.verdict, again.reason) == (trial.verdict, trial.reason)
    html = write_reports(RunFolder.open(folder))["html"].read_text()
    assert "control/timeline.jsonl" in html
    return trial


def answers(trial: Trial) -> dict[str, tuple[str, str]]:
    return {check.check: (check.verdict.value, check.summary) for check in trial.checks}


@pytest.mark.parametrize("spec", KERNELS)
def test_an_edit_and_a_wrong_answer_as_the_flaw(spec: str, tmp_path: Path) -> None:
    case = written(tmp_path, EDIT + FLAW.format(unpatched="[^.]$"))
    trial = tried(case, spec, tmp_path / "run")
    assert trial.verdict is Verdict.PASS, answers(trial)
    assert answers(trial)["flaw"] == ("pass", "seen without the patch, gone with it")
    assert trial.build is not None
    assert trial.build.seconds > 0
    assert trial.phases["control"] > 0


def test_a_flaw_that_is_not_there_proves_nothing(tmp_path: Path) -> None:
    case = written(tmp_path, EDIT + FLAW.format(unpatched="^leaked$"))
    trial = tried(case, OLD, tmp_path / "run")
    assert trial.verdict is Verdict.ERROR
    assert trial.reason.startswith("flaw: trigger without the patch: the flaw was not seen")
    assert {name for name, (verdict, _) in answers(trial).items() if verdict != "pass"} == {"flaw"}


def test_a_patch_that_fixes_nothing_fails(tmp_path: Path) -> None:
    unfixed = EDIT.replace(r'".\n"', r'"!\n"')
    assert unfixed != EDIT
    trial = tried(written(tmp_path, unfixed + FLAW.format(unpatched="[^.]$")), OLD, tmp_path / "r")
    assert trial.verdict is Verdict.FAIL
    assert trial.reason.startswith("flaw: trigger with the patch: exit 0")


def test_a_kernel_that_has_the_fix_is_given_the_flaw_and_healed(tmp_path: Path) -> None:
    """With the oops of the given flaw, on the console of the control, as the proof."""
    trial = tried("ext4-mballoc-given-flaw", OLD, tmp_path / "run")
    assert trial.verdict is Verdict.PASS, answers(trial)
    (folder,) = RunFolder.open(tmp_path / "run").folders()
    control = folder.control.events()
    loads = [event.module for event in control if isinstance(event, ModuleLoadTried)]
    assert loads == ["lph_ext4_flaw"]
    (shown,) = [event for event in control if isinstance(event, FlawTried)]
    assert not shown.patched
    (flaw,) = [check for check in trial.checks if check.check == "flaw"]
    oops = next(item for item in flaw.evidence if item.console_line is not None)
    assert oops.control
    assert "ext4_mb_load_buddy_gfp" in oops.seen
    line = folder.control.console()[oops.console_line - 1]  # type: ignore[operator]
    assert "BUG: kernel NULL pointer dereference" in line
    html = (tmp_path / "run/report.html").read_text()
    assert "Console without the patch" in html


def test_a_build_that_is_refused_is_a_result_beside_a_run(tmp_path: Path) -> None:
    """One is tried, one refused, one refused as it must be, and one is not although it must."""
    gone = EDIT.replace("seq_putc( m", "seq_puke( m")
    written(tmp_path, gone, "gone")
    written(tmp_path, gone + '\n[expect]\nrefused = "does-not-apply"\n', "expected")
    written(tmp_path, EDIT + '\n[expect]\nrefused = "layout"\n', "unexpected")
    for name in ("gone", "expected"):
        file = tmp_path / name / "case.toml"
        file.write_text(file.read_text() + FLAW.format(unpatched="x"))
    done = lpharness(
        "run", "./gone", "cmdline", "./expected", "./unexpected",
        "-k", OLD, "--json", "-o", "out", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    trials = {trial["id"]["case"]: trial for trial in json.loads(done.stdout)["trials"]}
    assert {name: trial["verdict"] for name, trial in trials.items()} == {
        "gone": "fail",
        "cmdline": "pass",
        "expected": "xfail",
        "unexpected": "xpass",
    }
    assert trials["gone"]["build"]["kind"] == "does-not-apply"
    assert "seq_puke" in trials["gone"]["build"]["reason"]
    assert trials["cmdline"]["build"]["verdict"] == "pass"
    again = lpharness("judge", "out", "--json", cwd=tmp_path)
    replayed = {t["id"]["case"]: t["verdict"] for t in json.loads(again.stdout)["trials"]}
    assert replayed == {name: trial["verdict"] for name, trial in trials.items()}
    junit = (tmp_path / "out/junit.xml").read_text()
    assert junit.count('testcase name="build"') == 4
