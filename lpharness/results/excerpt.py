"""The part of a kernel's console that a report shows: the findings and what stands around them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from msgspec import Struct

from lpharness.results.text import one_line, shorten, visible
from lpharness.timeline.events import ConsoleFound, Event, SourcePlaces

_AROUND = {"fatal": (6, 40), "bad": (6, 24), "odd": (3, 6), "expected": (1, 1)}
_SHORT = 60
"""A console of so many lines is shown whole."""
_MOST_LINES = 600
_MOST_CITED = 20
_HIDDEN_RUN = 200
"""A run of lines that is no longer than this is folded, a longer one is left to the file."""
_WIDEST = 400
_FRAME = re.compile(r"([\w.]+\+0x[0-9a-f]+/0x[0-9a-f]+)(?: \[[\w-]+\])?")


class Line(Struct, kw_only=True):
    """A line of the console."""

    number: int
    text: str
    severity: str = ""
    names: tuple[str, ...] = ()


class Passage(Struct, kw_only=True):
    """Lines that belong together; ``folded`` when they are only shown on request."""

    lines: list[Line]
    folded: bool
    skipped: int = 0
    """Lines that are in the file alone."""


class Found(Struct, kw_only=True):
    """A finding, for the list of links; ``shown`` if its line is in the excerpt."""

    name: str
    severity: str
    line: int
    text: str
    shown: bool


class Excerpt(Struct, kw_only=True):
    """What to show of a console."""

    passages: list[Passage]
    found: list[Found]
    """The findings that are not expected ones, worst first."""
    more_found: int
    total: int
    numbers: frozenset[int]
    """Lines that can be linked to: all that are on the page, folded ones too."""


_WORST = ("fatal", "bad", "odd", "expected")


def excerpt(console: Sequence[str], events: Iterable[Event], cited: Iterable[int] = ()) -> Excerpt:
    """Choose the lines; ``cited`` are the numbers of those that some evidence names."""
    events = list(events)
    findings = [event for event in events if isinstance(event, ConsoleFound)]
    console = _with_places(console, events)
    findings.sort(key=lambda event: (_rank(event.severity), event.line))
    by_line: dict[int, list[ConsoleFound]] = {}
    for event in findings:
        by_line.setdefault(event.line, []).append(event)
    shown = _chosen(len(console), findings, cited)
    passages = _passages(console, by_line, shown)
    numbers = frozenset(line.number for passage in passages for line in passage.lines)
    loud = [event for event in findings if event.severity != "expected"]
    return Excerpt(
        passages=passages,
        found=[_found(event, event.line in numbers) for event in loud[:30]],
        more_found=max(0, len(loud) - 30),
        total=len(console),
        numbers=numbers,
    )


def _with_places(console: Sequence[str], events: Iterable[Event]) -> Sequence[str]:
    """Return the lines, each with where in the source its first frame is, if that is known."""
    places: dict[str, str] = {}
    for event in events:
        if isinstance(event, SourcePlaces):
            places |= event.places
    if not places:
        return console
    return [_with_place(line, places) for line in console]


def _with_place(line: str, places: dict[str, str]) -> str:
    found = _FRAME.search(line)
    place = places.get(found[0]) or places.get(found[1]) if found else None
    return f"{line}    {place}" if place else line


def _known(severity: str) -> str:
    """Return a severity of ours: it becomes a name in the page."""
    return severity if severity in _WORST else "odd"


def _rank(severity: str) -> int:
    return _WORST.index(_known(severity))


def _chosen(total: int, findings: Sequence[ConsoleFound], cited: Iterable[int]) -> set[int]:
    """Return the line numbers to show: all of a short console, else those around the findings."""
    if total <= _SHORT:
        return set(range(1, total + 1))
    windows = [(line, _AROUND["odd"]) for line in sorted(set(cited))[:_MOST_CITED]]
    windows += [(event.line, _AROUND[_known(event.severity)]) for event in findings]
    # Nothing was recognised: the end is where whatever went wrong is.
    shown = set() if windows else set(range(max(1, total - 19), total + 1))
    for line, (before, after) in windows:  # worst first, so that the cap cuts the least
        window = range(max(1, line - before), min(total, line + after) + 1)
        if len(shown | set(window)) > _MOST_LINES:
            break
        shown.update(window)
    return shown


def _passages(
    console: Sequence[str], by_line: dict[int, list[ConsoleFound]], shown: set[int]
) -> list[Passage]:
    passages: list[Passage] = []
    hidden_budget = _MOST_LINES
    number = 1
    while number <= len(console):
        end = number
        while end < len(console) and ((end + 1) in shown) == (number in shown):
            end += 1
        count = end - number + 1
        folded = number not in shown
        if folded and (count > _HIDDEN_RUN or count > hidden_budget):
            passages.append(Passage(lines=[], folded=True, skipped=count))
        else:
            hidden_budget -= count if folded else 0
            lines = [_line(n, console[n - 1], by_line.get(n, [])) for n in range(number, end + 1)]
            passages.append(Passage(lines=lines, folded=folded))
        number = end + 1
    return passages


def _line(number: int, text: str, events: Sequence[ConsoleFound]) -> Line:
    return Line(
        number=number,
        text=visible(shorten(text, _WIDEST)),
        severity=min((_known(event.severity) for event in events), key=_rank, default=""),
        names=tuple(one_line(event.name, 60) for event in events),
    )


def _found(event: ConsoleFound, shown: bool) -> Found:
    return Found(
        name=one_line(event.name, 60),
        severity=_known(event.severity),
        line=event.line,
        text=one_line(event.text, 160),
        shown=shown,
    )
