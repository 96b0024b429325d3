"""Every bundled case as a whole trial in a real guest; what was seen is looked into."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import pytest
from msgspec import Struct

from lpharness.base.architecture import ARCHITECTURES
from lpharness.base.errors import HostError
from lpharness.cases import load
from lpharness.results.folder import RunFolder
from lpharness.results.model import Trial, Verdict
from lpharness.results.writers import write_reports
from lpharness.run import Request, execute, plan_run
from lpharness.timeline.events import (
    CallsCounted,
    Event,
    Phase,
    PhaseBegan,
    TasksSampled,
    TransitionMarked,
)

CASES = (
    "atomic-replace",
    "callbacks-shadow",
    "cmdline",
    "cpu-hotplug",
    "hot-syscall",
    "module-function",
    "stall",
    "stopped-tasks",
)
OLD, NEW = "debian:6.1-cloud", "debian:6.12-cloud"


def everything() -> Iterator[tuple[str, str, str]]:
    """Yield each case with each of its variants on the one kernel, and a few on another."""
    for name in CASES:
        for variant in load(name).variants or (None,):
            yield name, variant.name if variant else "", OLD
    for name in ("cmdline", "stall", "hot-syscall"):
        yield name, "", NEW


ALL = list(everything())
IDS = [" ".join(filter(None, words)) for words in ALL]


class Nobody:
    """Is told how a run goes."""

    def planned(self, trials: object) -> None: ...

    def phase(self, trial: object, phase: object) -> None: ...

    def finished(self, trial: object) -> None: ...


class Tried(Struct):
    """A trial, and what it left."""

    trial: Trial
    events: list[Event]
    folder: Path
    reports: dict[str, Path]

    def during(self, phase: Phase) -> list[Event]:
        """Return the events of all chapters of that name."""
        found, inside = [], False
        for event in self.events:
            if isinstance(event, PhaseBegan):
                inside = event.phase == phase
            elif inside:
                found.append(event)
        return found


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str, str], Tried]:
    """Return a function that tries a case; each once, whoever asks."""

    @cache
    def once(case: str, variant: str, kernel: str) -> Tried:
        request = Request(
            cases=(load(case),), kernels=(kernel,), variants=(variant,) if variant else ()
        )
        try:
            entries = plan_run(request)
        except HostError as error:
            pytest.skip(f"no kernel, compiler or QEMU: {error}")
        with RunFolder.create(tmp_path_factory.mktemp("run")) as run:
            (trial,) = execute(entries, request, run, Nobody())
            (folder,) = run.folders()
            return Tried(trial, folder.events(), folder.path, write_reports(run))

    return once


@pytest.mark.parametrize(("case", "variant", "kernel"), ALL, ids=IDS)
def test_a_bundled_case_passes_with_its_evidence(
    case: str, variant: str, kernel: str, tried: Callable[[str, str, str], Tried]
) -> None:
    seen = tried(case, variant, kernel)
    trial = seen.trial
    answers = [(c.check, c.verdict.value, c.summary) for c in trial.checks]
    assert [a for a in answers if a[1] not in ("pass", "skip")] == []
    assert (trial.verdict, trial.finished) == (Verdict.PASS, True)
    assert all(check.evidence for check in trial.checks)
    expect_transitions(seen)
    expect_calls(seen, late_target=variant == "patch-first")
    expect_provenance(trial, kernel)
    expect_programs(trial)
    expect_reports(seen)


def expect_transitions(seen: Tried) -> None:
    """Each began and ended by the kernel's own clock, patching before unpatching."""
    marks = [e for e in seen.events if isinstance(e, TransitionMarked)]
    assert {mark.source for mark in marks} == {"tracing"}
    modules = len(load(seen.trial.id.case).modules)
    wanted = [("began", "patching"), ("completed", "patching")] * modules
    wanted += [("began", "unpatching"), ("completed", "unpatching")]
    assert [(mark.mark, mark.direction) for mark in marks] == wanted
    times = [mark.guest_ns for mark in marks]
    assert None not in times
    assert times == sorted(times, key=lambda t: t or 0)


def expect_calls(seen: Tried, *, late_target: bool) -> None:
    """The old function is called before and after, the new one in between; never both."""

    def hits(phase: Phase, side: str) -> dict[str, int]:
        counts: dict[str, int] = {}
        for event in seen.during(phase):
            if isinstance(event, CallsCounted) and event.driven and event.side == side:
                counts[event.function] = counts.get(event.function, 0) + event.hits
        return counts

    prefix = ARCHITECTURES["amd64"].syscall_prefix
    functions = {
        f.old.replace("{syscall}", prefix)
        for m in load(seen.trial.id.case).modules
        for f in m.functions
    }
    assert set(hits(Phase.STEADY, "new")) == functions
    assert sum(hits(Phase.STEADY, "new").values()) > 0
    assert sum(hits(Phase.BASELINE, "new").values()) == 0
    assert sum(hits(Phase.AFTER, "new").values()) == 0
    if not late_target:  # no probe outlives the unloading of the module that it is in
        assert sum(hits(Phase.BASELINE, "old").values()) > 0
        assert sum(hits(Phase.AFTER, "old").values()) > 0
        if seen.trial.id.case != "atomic-replace":  # its second patch gives one function back
            assert sum(hits(Phase.STEADY, "old").values()) == 0


def expect_programs(trial: Trial) -> None:
    """Whatever a case had compiled for the guest must be named, programs and modules."""
    case = load(trial.id.case)
    named = {Path(name).stem for name in trial.provenance.programs}
    assert named == {Path(name).stem for name in (*case.programs, *case.companions)}


def expect_provenance(trial: Trial, kernel: str) -> None:
    origin = trial.provenance
    assert (origin.kernel_release, origin.kernel_origin) == (trial.id.kernel, kernel)
    assert origin.kernel_package.startswith("linux-image-")
    assert len(origin.kernel_sha256) == 64
    assert all(len(digest) == 64 for digest in origin.modules.values())
    assert list(origin.modules) == [module.name for module in load(trial.id.case).modules]
    assert "qemu-system-x86_64 " in origin.command_line
    assert origin.accelerator in ("tcg", "kvm")
    assert origin.backend_version
    assert origin.compiler


def expect_reports(seen: Tried) -> None:
    suites = ElementTree.parse(seen.reports["junit"]).getroot()
    assert [len(suites.findall(f".//{tag}")) for tag in ("failure", "error")] == [0, 0]
    assert seen.reports["ktap"].read_text().startswith("KTAP version 1\n")
    assert seen.trial.id.case in seen.reports["html"].read_text()
    assert seen.trial.id.case in seen.reports["markdown"].read_text()


@pytest.mark.parametrize("kernel", [OLD, NEW])
def test_a_stall_names_who_blocks_and_lasts_until_the_release(
    kernel: str, tried: Callable[[str, str, str], Tried]
) -> None:
    seen = tried("stall", "", kernel)
    stall = load("stall").expect.stall
    assert stall is not None
    blockers = [
        blocker
        for event in seen.during(Phase.TRANSITION)
        if isinstance(event, TasksSampled)
        for blocker in event.blockers
    ]
    assert any(
        blocker.comm == stall.comm and any(stall.function in line for line in blocker.stack)
        for blocker in blockers
    )
    began, completed = (
        next(e.guest_ns for e in seen.events if isinstance(e, TransitionMarked) and e.mark == mark)
        for mark in ("began", "completed")
    )
    assert began is not None
    assert completed is not None
    assert (completed - began) / 1e9 > stall.seconds
