"""JUnit XML: a suite for each trial, a test case for its build and for each check.

Mapping: ``fail`` and ``xpass`` are failures, ``error`` is an error, ``skip`` and ``xfail`` are
skipped (as pytest writes them). A trial whose verdict its checks do not explain (the guest never
came, the harness was killed) has one more test case named ``trial``.

JUnit has no one schema; what is written fits the strictest that is in wide use, Jenkins's
``junit-10.xsd``. Checks take no time worth telling: a suite's time is its trial's, with the
build's.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import msgspec
from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite
from junitparser.junitparser import FinalResult, etree  # type: ignore[attr-defined]

from lpharness.results.flaky import Flaky, any_time, flaky
from lpharness.results.model import Build, CheckResult, Trial, Verdict, worst
from lpharness.results.text import block, one_line, visible

_COUNTED = ("tests", "failures", "errors")  # Jenkins's schema knows "skipped" of suites only


def junit(trials: Sequence[Trial]) -> bytes:
    """Return the XML document."""
    report = JunitReport(flaky(trials))
    for trial in trials:
        report.add(trial)
    return b"".join(report.pieces())


class JunitReport:
    """The document, suite by suite: a tree of ten thousand of them would fill the memory."""

    def __init__(self, unsteady: Iterable[Flaky]) -> None:
        self._unsteady = {one.id: one for one in unsteady}
        self._suites = tempfile.TemporaryFile()  # noqa: SIM115 — closed with the report
        self._counts: Counter[str] = Counter()
        self._seconds = 0.0

    def add(self, trial: Trial) -> None:
        """Add a trial."""
        suite = _suite(trial)
        if found := self._unsteady.get(any_time(trial.id)):
            suite.add_property("flaky", found.words)
        suite.update_statistics()  # type: ignore[no-untyped-call]
        suite.time = round(_seconds(trial), 3)
        self._seconds += _seconds(trial)
        self._counts.update({what: getattr(suite, what) or 0 for what in _COUNTED})
        etree.indent(suite._elem, "\t", level=1)
        self._suites.write(b"\t" + etree.tostring(suite._elem).rstrip() + b"\n")

    def pieces(self) -> Iterator[bytes]:
        """Yield the document."""
        root = JUnitXml("lpharness")._elem
        for what in _COUNTED:
            root.set(what, str(self._counts[what]))
        root.set("time", str(round(self._seconds, 3)))
        root.text = "\n"
        head, tail = etree.tostring(root).split(b"\n")
        yield b'<?xml version="1.0" encoding="utf-8"?>\n' + head + b"\n"
        self._suites.seek(0)
        yield from self._suites
        yield tail + b"\n"


def _suite(trial: Trial) -> TestSuite:
    slug = one_line(trial.id.slug)
    suite = TestSuite(slug)
    for name, value in _properties(trial):
        suite.add_property(visible(name), visible(value))
    if trial.build is not None:
        suite.add_testcase(_build(trial.build, slug))
    for check in trial.checks:
        case = TestCase(one_line(check.check), classname=slug)
        case.result = _outcome(check.verdict, check.summary)
        case.system_out = evidence_text(check)
        suite.add_testcase(case)
    if not trial.verdicts or worst(trial.verdicts) is not trial.verdict:
        case = TestCase("trial", classname=slug)
        case.result = _outcome(trial.verdict, trial.reason)
        suite.add_testcase(case)
    if trial.started_at:
        suite.timestamp = visible(trial.started_at.removesuffix("+00:00"))
    return suite


def _build(build: Build, slug: str) -> TestCase:
    case = TestCase("build", classname=slug, time=round(build.seconds, 3))
    case.result = _outcome(build.verdict, build.summary)
    case.system_out = "\n".join(filter(None, (build.summary, block(build.detail), build.hint)))
    return case


def _seconds(trial: Trial) -> float:
    return trial.seconds + (trial.build.seconds if trial.build else 0.0)


def _outcome(verdict: Verdict, said: str) -> list[FinalResult]:
    message = one_line(said)
    match verdict:
        case Verdict.FAIL | Verdict.XPASS:
            return [Failure(message, verdict.value)]
        case Verdict.ERROR:
            return [Error(message, verdict.value)]
        case Verdict.SKIP | Verdict.XFAIL:
            return [Skipped(message, verdict.value)]
        case Verdict.PASS:
            return []


def _properties(trial: Trial) -> Iterator[tuple[str, str]]:
    yield "verdict", trial.verdict.value
    yield "reason", trial.reason
    for name, value in msgspec.to_builtins(trial.id).items():
        yield f"id.{name}", str(value)
    for name, value in msgspec.to_builtins(trial.provenance).items():
        if isinstance(value, dict):
            for key, inner in value.items():
                yield f"{name}.{key}", str(inner)
        else:
            yield name, str(value)


def evidence_text(check: CheckResult, most: int = 60) -> str:
    """Return a check's evidence as plain lines: what, seen, wanted; ``most`` lines of each."""
    lines = [one_line(check.summary, 1000)]
    for item in check.evidence:
        sign = {True: "+", False: "!", None: " "}[item.good]
        lines.append(f"{sign} {one_line(item.what)}")
        lines += [f"    seen: {line}" for line in block(item.seen, lines=most).split("\n")]
        if item.wanted:
            lines += [f"    wanted: {line}" for line in block(item.wanted, lines=most).split("\n")]
    return "\n".join(lines)
