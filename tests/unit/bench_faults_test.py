"""The corpus is read as it is written, or refused; outcomes are counted for what they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from lpharness.base.errors import InputError
from lpharness.bench.faults import Caught, Fault, Outcome, corpus
from lpharness.bench.faults.attempt import _judged, _refused
from lpharness.bench.faults.table import markdown, rows
from lpharness.cases import load
from lpharness.results.model import Build, CheckResult, Evidence, Trial, TrialId, Verdict

GOOD = """
title = "x"
case = "cmdline"
verdict = "fail"
check = "redirected"
evidence = ["probe .*: 'old'"]
"""
FAULT = Fault(
    title="x", verdict=Verdict.FAIL, check="redirected", evidence=("probe .*'old'",), name="c/x"
)


def corpus_in(folder: Path, text: str) -> Path:
    (folder / "class" / "x").mkdir(parents=True)
    (folder / "class" / "x" / "fault.toml").write_text(text)
    return folder


def trial(verdict: Verdict, check: str = "redirected", seen: str = "'old'") -> Trial:
    evidence = Evidence(what="probe y", seen=seen, good=False)
    result = CheckResult(check=check, verdict=verdict, summary="s", evidence=(evidence,))
    name = TrialId(case="x", kernel="6.1", workload="idle")
    return Trial(id=name, verdict=verdict, reason="r", checks=(result,), finished=True)


def test_every_fault_that_comes_along_can_be_read() -> None:
    for fault in corpus():
        assert load(fault.tried).title


def test_a_corpus_is_read_by_class(tmp_path: Path) -> None:
    (fault,) = corpus(corpus_in(tmp_path, GOOD), ("class",))
    assert (fault.name, fault.class_, fault.tried) == ("class/x", "class", "cmdline")
    with pytest.raises(InputError, match="no class of faults 'other'"):
        corpus(tmp_path, ("other",))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"fail"', '"skip"', "verdict: skip is not what a fault can come to"),
        ('"fail"', '"lost"', "verdict"),
        ('"redirected"', '"redirect"', "check: 'redirect' is none of"),
        ("probe .*", "probe (", "evidence: "),
        ("[\"probe .*: 'old'\"]", "[]", "evidence: is empty"),
        ('case = "cmdline"', "", "case: name a bundled case"),
        ("title", "titel", "titel"),
        ("title", 'plant = "meteor"\ntitle', "plant: 'meteor' is none of"),
    ],
)
def test_refuses_by_file_and_key(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in GOOD
    with pytest.raises(InputError) as caught:
        corpus(corpus_in(tmp_path, GOOD.replace(old, new)))
    assert str(tmp_path / "class" / "x" / "fault.toml") in caught.value.message
    assert says in caught.value.message


@pytest.mark.parametrize(
    ("came", "caught"),
    [
        (trial(Verdict.FAIL), Caught.CAUGHT),
        (trial(Verdict.FAIL, seen="'new'"), Caught.ELSEWHERE),
        (trial(Verdict.FAIL, check="healthy"), Caught.ELSEWHERE),
        (trial(Verdict.PASS), Caught.MISSED),
        (trial(Verdict.ERROR), Caught.WRONG),
        (trial(Verdict.SKIP), Caught.SKIPPED),
    ],
)
def test_a_fault_is_caught_by_its_check_with_its_evidence(came: Trial, caught: Caught) -> None:
    assert _judged(FAULT, came).caught is caught


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("locking/preemption-left-off", "scheduling while atomic: cat/130/0x00000002"),
        (
            "locking/preemption-left-off",
            "rcu-stall: rcu: INFO: rcu_preempt self-detected stall on CPU"
            " (in unmap_page_range+0x6bb/0x1150, task cat:130)",
        ),
        (
            "locking/preemption-left-off",
            "soft-lockup: watchdog: BUG: soft lockup - CPU#1 stuck for 44s! [cat:130]"
            " (in _raw_spin_unlock+0x0/0x30, task cat:130)",
        ),
    ],
)
def test_a_fault_is_known_by_each_thing_that_kernels_were_seen_to_say(name: str, seen: str) -> None:
    (fault,) = (fault for fault in corpus() if fault.name == name)
    assert _judged(fault, trial(Verdict.FAIL, fault.check, seen)).caught is Caught.CAUGHT


def test_a_refused_build_is_caught_by_its_kind() -> None:
    fault = Fault(title="x", verdict=Verdict.FAIL, check="build", evidence=("^inspection$",))
    came = trial(Verdict.FAIL, check="inspection")
    assert _judged(fault, came).caught is Caught.ELSEWHERE
    came.build = Build(verdict=Verdict.FAIL, kind="inspection", reason="bad")
    assert _judged(fault, came).caught is Caught.CAUGHT


def test_a_refusal_of_the_command_is_an_error_in_one_line() -> None:
    fault = Fault(title="x", verdict=Verdict.ERROR, check="command", evidence=("no space",))
    assert _refused(fault, 3, "lpharness: no space left").caught is Caught.CAUGHT
    assert _refused(fault, 3, "lpharness: other").caught is Caught.ELSEWHERE
    assert _refused(fault, 0, "").caught is Caught.WRONG
    assert _refused(FAULT, 3, "lpharness: no space left").caught is Caught.WRONG


def test_the_table_counts_by_class() -> None:
    faults = [
        Fault(title="t|u", verdict=Verdict.FAIL, check="build", evidence=("e",), name=f"{name}/x")
        for name in ("a", "b")
    ]
    outcomes = [
        Outcome(fault="a/x", caught=Caught.CAUGHT, verdict=Verdict.FAIL, reason=""),
        Outcome(fault="b/x", caught=Caught.MISSED, verdict=Verdict.PASS, reason="all | well"),
    ]
    assert rows(faults, outcomes) == [
        ("a", "1", "1", "", "", "", ""),
        ("b", "1", "", "", "1", "", ""),
        ("all", "2", "1", "", "1", "", ""),
    ]
    page = markdown(faults, outcomes, "lpharness bench faults -j 2", seconds=600.0, load=3.2)
    assert "missed: all / well" in page
    assert "by `lpharness bench faults -j 2` in 10 minutes, on a host with a load of 3" in page
