"""What is on the console, classified by today's patterns, and what of it came after the baseline.

The timeline holds what the classifier found while the trial ran. The console's text is kept too,
and is classified anew here, so that an old recording is judged by the patterns of today.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from msgspec import Struct

from lpharness.checks.places import described, source_places
from lpharness.checks.story import Story
from lpharness.console import classify_text
from lpharness.console.lines import parse_line
from lpharness.timeline.events import ConsoleFound, Phase, Vitals

_NUMBER = re.compile(r"0x[0-9a-f]+|[0-9a-f]{8,}|\d+")


class Seen(Struct, frozen=True, kw_only=True):
    """A finding, and where it lies in the trial."""

    name: str
    severity: str
    line: int
    text: str
    detail: str
    after_baseline: bool
    """Whether it came after the trial's baseline began."""
    after_load: bool
    """Whether it came after the first load began."""


def console_findings(story: Story) -> list[Seen]:
    """Return all findings in the order of their lines: the timeline's and today's."""
    recording = story.recording
    baseline, load = _Border(story, Phase.BASELINE), _Border(story, _changing(story))
    found: dict[tuple[int, str], Seen] = {}
    taken: set[int] = set()
    places = source_places(recording)
    for finding in classify_text("\n".join(recording.console)):
        taken.add(finding.line)
        found[finding.line, finding.name] = Seen(
            name=finding.name,
            severity=finding.severity,
            line=finding.line,
            text=finding.text,
            detail=described(finding, places),
            after_baseline=baseline.passed(finding.line, finding.stamp),
            after_load=load.passed(finding.line, finding.stamp),
        )
    for index, event in recording.of(ConsoleFound):
        if event.line in taken or event.line <= len(recording.console):
            continue  # today's classifier has read that line, and has the last word on it
        found[event.line, event.name] = Seen(
            name=event.name,
            severity=event.severity,
            line=event.line,
            text=event.text,
            detail="",
            after_baseline=baseline.index is not None and index > baseline.index,
            after_load=load.index is not None and index > load.index,
        )
    return [found[key] for key in sorted(found)]


def lines_since_change(story: Story) -> Sequence[str]:
    """Return the console's lines since the kernel began to be changed, as well as can be told."""
    border = _Border(story, _changing(story))
    console = story.recording.console
    first = bisect_left(range(len(console)), True, key=lambda at: border.passed(at + 1, None))
    return console[first:]


def without_numbers(text: str) -> str:
    """Return what lines have in common that say the same with other numbers and addresses."""
    return _NUMBER.sub("#", text)


def _changing(story: Story) -> Phase:
    """Return the phase with which the kernel began to be changed."""
    return Phase.LOAD if story.recording.selftest is None else Phase.SELFTEST


class _Border:
    """The line of the console at which a phase began, as well as it can be told.

    Told by what was found live just before and after it, and between those by the kernel's stamps
    against the uptime that was read last before the phase.
    """

    def __init__(self, story: Story, phase: Phase) -> None:
        self.index = story.began(phase)
        self._below = 0  # a line known to be from before
        self._above: float = float("inf")  # a line known to be from after
        self._uptime = _uptime_before(story, phase)
        if self.index is None:
            return
        for index, event in story.recording.of(ConsoleFound):
            if index < self.index:
                self._below = max(self._below, event.line)
            else:
                self._above = min(self._above, event.line)
        self._stamps = _highest_stamps(story)

    def passed(self, line: int, stamp: float | None) -> bool:
        """Tell whether a line came after the border."""
        if self.index is None or line <= self._below:
            return False
        if line >= self._above:
            return True
        # A kernel that boots again starts its stamps anew: what counts is the highest so far.
        highest = self._highest(line)
        known = highest if stamp is None else max(stamp, highest or 0.0)
        if known is None or self._uptime is None:
            return False  # no telling, so no blame; the vitals that are missing are an error
        return known > self._uptime

    def _highest(self, line: int) -> float | None:
        lines, stamps = self._stamps
        place = bisect_right(lines, line)
        return stamps[place - 1] if place else None


def _highest_stamps(story: Story) -> tuple[list[int], list[float]]:
    """Return the lines at which the kernel's stamp rose above all before, and those stamps."""
    lines: list[int] = []
    stamps: list[float] = []
    for number, text in enumerate(story.recording.console, 1):
        stamp = parse_line(number, text.encode()).stamp
        if stamp is not None and (not stamps or stamp > stamps[-1]):
            lines.append(number)
            stamps.append(stamp)
    return lines, stamps


def _uptime_before(story: Story, phase: Phase) -> float | None:
    """Return the seconds of uptime that the guest surely had when a phase began, or shortly after.

    The baseline's own vitals are the first that there are.
    """
    chapter = story.find(Phase.BASELINE)
    if chapter is None:
        return None
    seen = [event for _, event in chapter.of(Vitals)]
    if not seen:
        return None
    vitals = seen[0] if phase is Phase.BASELINE else seen[-1]
    return vitals.uptime_ns / 1e9
