"""The benchmark of clean trials: what is drawn, what is gone on with, what is counted."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import psutil
import pytest
from checks_samples import case, clean
from hypothesis import given
from hypothesis import strategies as st

from lpharness.base.errors import InputError
from lpharness.bench.settings import require_same
from lpharness.bench.soundness.account import account
from lpharness.bench.soundness.draw import cells, draw
from lpharness.bench.soundness.hog import hogs
from lpharness.bench.soundness.model import Cell, Settings
from lpharness.bench.soundness.run import FREE
from lpharness.bench.soundness.table import markdown
from lpharness.cases.model import Case, Expect, Variant
from lpharness.checks import judge
from lpharness.kernels.model import Kernel, KernelOrigin
from lpharness.results.model import CheckResult, Evidence, Margin, Trial, TrialId, Verdict

SETTINGS = Settings(kernels=("debian:6.1-cloud",), number=4)
CELLS = st.sets(st.integers(0, 50), min_size=1, max_size=12).map(
    lambda names: [Cell(case=str(name), kernel="k", workload="idle") for name in names]
)


def kernel(release: str) -> Kernel:
    nowhere = Path("/nonexistent")
    origin = KernelOrigin(spec=f"debian:{release}")
    return Kernel(
        release=release, flavour="", arch="amd64", image=nowhere, modules=nowhere, config={},
        origin=origin, identity="",
    )  # fmt: skip


def some(**changes: object) -> Case:
    return case(workloads=("idle", "fork-storm"), **changes)


def trial(verdict: Verdict = Verdict.PASS, *margins: Margin, repeat: int = 0) -> Trial:
    evidence = tuple(Evidence(what="w", seen="s", margin=margin) for margin in margins)
    result = CheckResult(check="c", verdict=verdict, summary="s", evidence=evidence)
    name = TrialId(case="x", kernel="6.1", workload="idle", repeat=repeat)
    return Trial(id=name, verdict=verdict, reason="why", checks=(result,), seconds=2.0)


# --- what is drawn -------------------------------------------------------------------------


@given(CELLS, st.integers(1, 40), st.integers())
def test_none_is_drawn_again_before_all_others_had_their_turn(
    among: list[Cell], number: int, seed: int
) -> None:
    drawn = draw(among, number=number, seed=seed)
    assert len(drawn) == len(set(drawn)) == number
    turns = [sum(one.cell == cell for one in drawn) for cell in among]
    assert max(turns) - min(turns) <= 1


@given(CELLS, st.integers(1, 20), st.integers(0, 20), st.integers())
def test_more_trials_go_on_where_fewer_end_whatever_the_order(
    among: list[Cell], number: int, more: int, seed: int
) -> None:
    whole = draw(among, number=number + more, seed=seed)
    assert draw(among[::-1], number=number, seed=seed) == whole[:number]


def test_clean_is_what_is_meant_for_a_kernel_and_meant_to_pass() -> None:
    kernels = [("debian:6.1-cloud", kernel("6.1.0-56-cloud-amd64"))]
    cases = [
        some(name="clean", variants=(Variant(name="a"), Variant(name="b"))),
        some(name="elsewhere", kernels=("debian:6.12.*",)),
        some(name="foreign", architectures=("ppc64el",)),
        some(name="fails", expect=Expect(xfail="it must")),
        some(name="refused", expect=Expect(refused="layout")),
    ]
    found = cells(cases, kernels, ())
    assert [(cell.case, cell.variant, cell.workload) for cell in found] == [
        ("clean", "a", "fork-storm"),
        ("clean", "b", "fork-storm"),
        ("clean", "a", "idle"),
        ("clean", "b", "idle"),
    ]
    assert {cell.workload for cell in cells(cases, kernels, ("idle",))} == {"idle"}
    with pytest.raises(InputError, match="no case is meant for"):
        cells(cases[1:], kernels, ())


def test_other_settings_need_another_folder(tmp_path: Path) -> None:
    asked = tmp_path / "asked.json"
    require_same(SETTINGS, asked, FREE)
    require_same(msgspec.structs.replace(SETTINGS, jobs=7, number=9), asked, FREE)
    with pytest.raises(InputError, match="other settings"):
        require_same(msgspec.structs.replace(SETTINGS, seed=2), asked, FREE)


# --- the hog -------------------------------------------------------------------------------

HOG = """
import sys
from lpharness.bench.soundness.hog import hogs
with hogs(2) as children:
    print(*(child.pid for child in children), flush=True)
    sys.stdin.read()
"""


def test_hogs_burn_cpu_and_end_with_the_block() -> None:
    with hogs(1) as (child,):
        process = psutil.Process(child.pid)
        until = time.monotonic() + 30
        while process.cpu_times().user < 0.1:
            assert time.monotonic() < until, "it does not burn a CPU"
            time.sleep(0.02)
    assert not process.is_running()


def test_hogs_do_not_outlive_a_killed_harness() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOG], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as harness:
        assert harness.stdout is not None
        children = [psutil.Process(int(pid)) for pid in harness.stdout.readline().split()]
        assert len(children) == 2
        os.kill(harness.pid, 9)
        _, alive = psutil.wait_procs(children, timeout=20)
    assert alive == []


# --- margins -------------------------------------------------------------------------------


def test_a_margin_is_the_share_of_the_bound_that_is_used() -> None:
    most = Margin(name="n", measured=1.0, bound=4.0)
    assert (most.used, most.words) == (0.25, "1 s of 4 s")
    least = Margin(name="n", measured=0.4, bound=0.1, unit="", least=True)
    assert (least.used, least.words) == (0.25, "0.4 where at least 0.1")
    assert msgspec.structs.replace(least, measured=0.0).used == math.inf
    assert msgspec.structs.replace(most, measured=-1.0).used == 0.0


def test_each_bound_that_a_check_holds_tells_its_margin() -> None:
    found = {
        margin.name: margin.used
        for result in judge(clean())
        for piece in result.evidence
        if (margin := piece.margin)
    }
    assert all(0 <= used < 1 for used in found.values()), found
    assert found.keys() == {
        "console lines since the load",
        "patching",
        "unpatching",
        "uptime apart from the guest's clock",
        "a CPU's stand-still",
        "pace with the patch on, as a share of before",
        "a worker's longest gap",
        "a worker's silence before the others' end",
        "throughput after the patch, as a share of the baseline's",
        "an outgoing call after its task's move",
        "an outgoing call after the completion",
        "an incoming call before its task's move",
        "open files that stay",
        "tasks that stay",
        "memory in slabs that stay",
    }


# --- the account ---------------------------------------------------------------------------


def test_the_tightest_margin_of_each_bound_is_named() -> None:
    wide, tight = (Margin(name="gap", measured=measured, bound=4.0) for measured in (1.0, 3.0))
    other = Margin(name="stall", measured=3.0, bound=2.7, least=True)
    found = account([trial(Verdict.PASS, wide, other), trial(Verdict.PASS, tight, repeat=1)])
    assert [(b.name, b.measured, b.typical, b.most) for b in found.bounds] == [
        ("stall", 1, 0.9, 0.9),
        ("gap", 2, 0.5, 0.75),
    ]
    assert found.bounds[1].trial == "x--6.1--idle--r1"
    assert found.sound


def test_whatever_is_no_pass_is_not_sound() -> None:
    for verdict in set(Verdict) - {Verdict.PASS}:
        found = account([trial(), trial(verdict, repeat=1)])
        assert not found.sound
        assert [(one.trial, one.verdict) for one in found.others] == [("x--6.1--idle--r1", verdict)]
    assert not account([]).sound


def test_the_page_tells_counts_margins_and_each_that_did_not_pass() -> None:
    tight = Margin(name="gap", measured=3.0, bound=4.0)
    found = account([trial(Verdict.PASS, tight), trial(Verdict.ERROR, repeat=1)])
    page = markdown(found, SETTINGS, "the command")
    assert "by `the command`: 2 of 4 trials, 1 pass, 1 error; 2 at a time beside 1 hog." in page
    assert "| 6.1 | 2 | 1 pass, 1 error |" in page
    assert "| gap | c | 1 | 75.0% | 75.0% | 3 s of 4 s | x--6.1--idle |" in page
    assert page.endswith("- x--6.1--idle--r1: error, why\n")
