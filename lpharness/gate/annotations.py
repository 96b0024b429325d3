"""A gate's findings where a forge shows them: GitHub's commands, GitLab's code quality report."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import msgspec

from lpharness.gate.findings import Decision
from lpharness.results.text import one_line

_LEVELS = {"block": "error", "hole": "warning", "tell": "notice"}
_SEVERITIES = {"block": "blocker", "hole": "major", "tell": "info"}


def github(decision: Decision) -> Iterator[str]:
    """Yield a workflow command for each finding: ``::error title=…::…``."""
    for finding in decision.findings:
        title = _property(f"{finding.kind.replace('_', ' ')}: {finding.about}")
        yield f"::{_LEVELS[finding.answer]} title={title}::{_data(finding.said)}"


def gitlab(decision: Decision, path: str) -> bytes:
    """Return a code quality report; what a gate finds is no line of a file, so it names ``path``.

    Args:
        decision: what was found.
        path: the policy's, from the top of the repository.
    """
    report = [
        {
            "description": one_line(f"{finding.about}: {finding.said}"),
            "check_name": f"lpharness-gate-{finding.kind}",
            "fingerprint": hashlib.sha256(f"{finding.kind} {finding.about}".encode()).hexdigest(),
            "severity": _SEVERITIES[finding.answer],
            "location": {"path": path, "lines": {"begin": 1}},
        }
        for finding in decision.findings
    ]
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"


def _data(text: str) -> str:
    return one_line(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
