"""KTAP version 1, the kernel's own test format: a test for each trial.

Its subtests are the build and each check.

Source: ``Documentation/dev-tools/ktap.rst``. A nested test's lines are indented by two spaces and
its plan comes before its results; ``#`` begins a directive, so no description may hold one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from lpharness.results.flaky import Flaky, flaky
from lpharness.results.junit import evidence_text
from lpharness.results.model import Build, CheckResult, Trial, Verdict
from lpharness.results.text import one_line

_NAME = 120


def ktap(trials: Sequence[Trial]) -> str:
    """Return the document."""
    report = KtapReport(len(trials))
    for trial in trials:
        report.add(trial)
    return report.render(flaky(trials))


class KtapReport:
    """The document, trial by trial."""

    def __init__(self, number: int) -> None:
        self._parts = [f"KTAP version 1\n1..{number}"]

    def add(self, trial: Trial) -> None:
        """Add a trial."""
        self._parts.append("\n".join(_trial(len(self._parts), trial)))

    def render(self, unsteady: Iterable[Flaky]) -> str:
        """Return the document."""
        told = [f"# flaky: {_description(one.id.slug)}: {one.words}" for one in unsteady]
        return "\n".join([*self._parts, *told]) + "\n"


def _trial(number: int, trial: Trial) -> Iterator[str]:
    name = _description(trial.id.slug)
    if trial.verdicts:
        yield "  KTAP version 1"
        yield f"  # Subtest: {name}"
        yield f"  1..{len(trial.verdicts)}"
        before = 0
        if trial.build is not None:
            before = 1
            yield from (f"  {line}" for line in _build(trial.build))
        for place, check in enumerate(trial.checks, 1 + before):
            yield from (f"  {line}" for line in _check(place, check))
    if trial.verdict is not Verdict.PASS:
        yield f"# {name}: {one_line(trial.reason)}"
    yield _result(number, name, trial.verdict, trial.reason)


def _build(build: Build) -> Iterator[str]:
    yield f"# build: {one_line(build.summary)}, {build.seconds:.1f} s"
    yield _result(1, "build", build.verdict, build.summary)


def _check(number: int, check: CheckResult) -> Iterator[str]:
    name = _description(check.check)
    if check.verdict in (Verdict.FAIL, Verdict.ERROR, Verdict.XPASS):
        yield from (f"# {line}" for line in evidence_text(check, most=12).split("\n"))
    else:
        yield f"# {name}: {one_line(check.summary)}"
    yield _result(number, name, check.verdict, check.summary)


def _result(number: int, name: str, verdict: Verdict, said: str) -> str:
    bad = verdict in (Verdict.FAIL, Verdict.ERROR, Verdict.XPASS)
    line = f"{'not ok' if bad else 'ok'} {number} {name}"
    directive = {Verdict.SKIP: "SKIP", Verdict.XFAIL: "XFAIL", Verdict.ERROR: "ERROR"}.get(verdict)
    return f"{line} # {directive} {_description(said)}".rstrip() if directive else line


def _description(text: str) -> str:
    return one_line(text, _NAME).replace("#", "♯") or "unnamed"
