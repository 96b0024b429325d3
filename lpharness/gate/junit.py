"""A gate's answer as JUnit XML: a test case for each demand, comparison and finding.

What blocks is a failure, what nobody can say is an error, and what is only told is passed.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

from junitparser import Error, Failure, JUnitXml, TestCase, TestSuite

from lpharness.gate.findings import Decision, Finding
from lpharness.results.text import one_line


def junit(decision: Decision) -> bytes:
    """Return the XML document."""
    root = JUnitXml("lpharness gate")
    suite = TestSuite("gate")
    suite.add_property("answer", one_line(decision.answer, 2000))
    suite.add_property("baseline", one_line(decision.baseline))
    suite.add_property("candidate", one_line(decision.candidate))
    for case in _cases(decision):
        suite.add_testcase(case)
    root.add_testsuite(suite)
    root.update_statistics()  # type: ignore[no-untyped-call]
    del root._elem.attrib["skipped"]  # Jenkins's schema knows it of suites only
    out = io.BytesIO()
    root.write(out, pretty=True)
    return out.getvalue()


def _cases(decision: Decision) -> Iterator[TestCase]:
    for finding in decision.findings:
        yield _finding(finding)
    for one in decision.comparisons:
        if one.verdict == "fine":
            yield TestCase(one_line(one.about), classname="gate.fine")
    if not decision.findings and not decision.comparisons:
        yield TestCase("answer", classname="gate")


def _finding(finding: Finding) -> TestCase:
    case = TestCase(one_line(finding.about), classname=f"gate.{finding.kind}")
    said = one_line(finding.said)
    if finding.answer == "block":
        case.result = [Failure(said, finding.kind)]
    elif finding.answer == "hole":
        case.result = [Error(said, finding.kind)]
    else:
        case.system_out = said
    return case
