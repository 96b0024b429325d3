"""Where in the source a function is that a report names, as it was looked up with the trial."""

from __future__ import annotations

from collections.abc import Mapping

from lpharness.checks.contract import Recording
from lpharness.console import Finding
from lpharness.timeline.events import SourcePlaces


def source_places(recording: Recording) -> Mapping[str, str]:
    """Return ``file:line`` by ``function+offset/size [module]``; empty without symbols."""
    places: dict[str, str] = {}
    for _, event in recording.of(SourcePlaces):
        places |= event.places
    return places


def placed(function: str, places: Mapping[str, str]) -> str:
    """Return a function, and where it is in the source if that is known."""
    return f"{function} at {places[function]}" if function in places else function


def described(finding: Finding, places: Mapping[str, str]) -> str:
    """Return the function and task that a finding is about, in words."""
    parts = [
        f"in {placed(finding.function, places)}" if finding.function else "",
        f"task {finding.task}" if finding.task else "",
    ]
    return ", ".join(part for part in parts if part)
