"""A gate's answer for a pull request's comment."""

from __future__ import annotations

from collections.abc import Iterator

from lpharness.gate.findings import Comparison, Decision, Finding, Ship
from lpharness.results.text import one_line

_MOST = 100
"""Rows of a table: a comment may have 65,536 characters."""
_SIGNS = {Ship.YES: "✅", Ship.NO: "❌", Ship.UNKNOWN: "❓"}


def markdown(decision: Decision) -> str:
    """Return the document."""
    return "\n".join(_lines(decision)) + "\n"


def _lines(decision: Decision) -> Iterator[str]:
    yield f"{_SIGNS[decision.ship]} {_cell(decision.answer, 2000)}"
    yield ""
    if decision.findings:
        yield from _findings(decision.findings)
    told = [one for one in decision.comparisons if one.line is None or one.verdict == "slower"]
    if told:
        yield from _comparisons(told, decision.alpha)
    yield (
        f"{decision.lines} lines; {decision.met} of {decision.demands} demands met; "
        f"{len(decision.comparisons)} comparisons."
    )


def _findings(findings: tuple[Finding, ...]) -> Iterator[str]:
    yield "| | what | about | |"
    yield "|---|---|---|---|"
    for finding in findings[:_MOST]:
        kind = finding.kind.replace("_", " ")
        yield f"| {finding.answer} | {kind} | {_cell(finding.about)} | {_cell(finding.said)} |"
    if len(findings) > _MOST:
        yield ""
        yield f"… {len(findings) - _MOST} more"
    yield ""


def _comparisons(told: list[Comparison], alpha: float) -> Iterator[str]:
    yield "<details><summary>Measures</summary>"
    yield ""
    yield "| measure | trials | median, of the baseline's | p | |"
    yield "|---|---|---|---|---|"
    for one in told[:_MOST]:
        yield (
            f"| {_cell(one.about)} | {one.candidate} against {one.baseline} | {one.ratio:.0%} | "
            f"{one.p:.2g} | {one.verdict} |"
        )
    yield ""
    yield (
        f"One-sided rank tests, exact or nearly so, Holm's correction: with a chance of at most "
        f"{alpha:.0%} anything is called slower here though nothing is."
    )
    yield ""
    yield "</details>"
    yield ""


_MEANING = str.maketrans({sign: f"\\{sign}" for sign in "\\`*_|[]<>#~$@"})


def _cell(text: str, limit: int = 300) -> str:
    """Return text of a case or guest as one line that means nothing in Markdown."""
    return one_line(text, limit).translate(_MEANING)
