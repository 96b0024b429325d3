"""The other consistency models in real guests: they patch, take back, and give up as they must."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from asked_for import long_only

from lpharness.base.errors import HostError
from lpharness.base.resources import data_dir
from lpharness.cases import load
from lpharness.results.folder import RunFolder
from lpharness.results.model import Trial, Verdict
from lpharness.run import Request, execute, plan_run
from lpharness.timeline.events import ModelMoved, ModelTried, ModuleLoadTried, TransitionMarked

OLD, NEW = "debian:6.1-cloud", "debian:6.12-cloud"
QUICK = [("kpatch", OLD), ("kgraft", NEW)]
REST = [(m, k) for m in ("immediate", "ksplice", "kpatch", "kgraft") for k in (OLD, NEW)]
LONG = long_only("every model on every kernel takes minutes")


class Nobody:
    """Is told how a run goes."""

    def planned(self, trials: object) -> None: ...

    def phase(self, trial: object, phase: object) -> None: ...

    def finished(self, trial: object) -> None: ...


def tried(case: str, kernel: str, model: str, folder: Path) -> tuple[Trial, list[object]]:
    request = Request(cases=(load(case),), kernels=(kernel,), models=(model,))
    try:
        entries = plan_run(request)
    except HostError as error:
        pytest.skip(f"no kernel, compiler or QEMU: {error}")
    with RunFolder.create(folder / "run") as run:
        (trial,) = execute(entries, request, run, Nobody())
        (left,) = run.folders()
        return trial, list(left.events())


def expect_pass(model: str, kernel: str, folder: Path) -> None:
    trial, events = tried("cmdline", kernel, model, folder)
    assert trial.verdict is Verdict.PASS, trial.reason
    marks = [(e.mark, e.direction) for e in events if isinstance(e, TransitionMarked)]
    assert ("completed", "patching") in marks
    assert ("completed", "unpatching") in marks
    looks = [e for e in events if isinstance(e, ModelTried)]
    if model in ("ksplice", "kpatch"):
        assert {e.target for e in looks} == {0, 1}
        assert all(0 < e.stop_began_ns < e.stop_ended_ns for e in looks)
        assert all(e.frames > e.tasks > 20 for e in looks)
    if model == "kgraft":
        assert not any(e.stop_began_ns for e in looks)
        assert {"border", "waiting"} <= {e.where for e in events if isinstance(e, ModelMoved)}


@pytest.mark.parametrize(("model", "kernel"), QUICK)
def test_a_model_patches_and_takes_back(model: str, kernel: str, tmp_path: Path) -> None:
    expect_pass(model, kernel, tmp_path)


@LONG
@pytest.mark.parametrize(("model", "kernel"), [pair for pair in REST if pair not in QUICK])
def test_every_model_does_on_every_kernel(model: str, kernel: str, tmp_path: Path) -> None:
    expect_pass(model, kernel, tmp_path)


def sleeps_for_ever(folder: Path) -> str:
    """Return the case `stall`, but for who lets the sleepers go."""
    case = folder / "no-release"
    shutil.copytree(data_dir("patches") / "stall", case)
    toml = case / "case.toml"
    before, _, rest = toml.read_text().partition("[expect.stall]")
    toml.write_text(before + "[[module]]" + rest.partition("[[module]]")[2])
    return str(case)


@pytest.mark.parametrize("model", ["ksplice", pytest.param("kpatch", marks=LONG)])
def test_a_sleeper_in_the_old_code_makes_it_give_up(model: str, tmp_path: Path) -> None:
    trial, events = tried(sleeps_for_ever(tmp_path), OLD, model, tmp_path)
    (check,) = [check for check in trial.checks if check.check == "transition"]
    assert check.verdict is Verdict.FAIL
    assert "abandoned after 5 tries, held up by task lph-sleeper" in check.summary
    assert "__do_sys_pause" in check.summary
    looks = [e for e in events if isinstance(e, ModelTried)]
    assert len(looks) == 5
    assert all("__do_sys_pause" in e.reasons for e in looks)
    gone = [check for check in trial.checks if check.check == "unloaded"]
    assert not any(e.good is False and "sysfs" in e.what for e in gone[0].evidence)


WRONG = """
#include "lph_livepatch.h"

static int lph_new(void)
{
	return 0;
}

LPH_LIVEPATCH(NULL, { .old_name = "%s", .new_func = lph_new });
"""


@pytest.mark.parametrize(
    ("function", "errno"),
    [("lph_nobody_has_this", 22), pytest.param("klp_ftrace_handler", 22, marks=LONG)],
    ids=["an unknown function", "a notrace function"],
)
def test_what_cannot_be_patched_is_refused(function: str, errno: int, tmp_path: Path) -> None:
    case = tmp_path / "wrong"
    shutil.copytree(data_dir("patches") / "cmdline", case)
    (case / "lph_cmdline.c").write_text(WRONG % function)
    toml = case / "case.toml"
    text = toml.read_text()
    start, end = text.index("[[module.function]]"), text.index("[[probe]]")
    toml.write_text(text[:start] + text[end:])
    trial, events = tried(str(case), OLD, "kpatch", tmp_path)
    loads = [e.errno for e in events if isinstance(e, ModuleLoadTried)]
    if not loads:
        assert "build" in trial.reason, trial.reason  # inspection knows it before
    else:
        assert loads == [errno]
