"""Recognises what a kernel says on its console, as it comes.

Most lines say nothing of interest, so a block of whole lines is first searched for the patterns'
literals; only lines that hold one are cleaned and matched. A pattern may open a *report* (an oops,
a stall): until it ends every line is read, for the function and the task it is about, and so that
one event makes one finding although it takes fifty lines.
"""

from __future__ import annotations

import re

from msgspec import Struct

from lpharness.console.lines import Line, LineBuffer, parse_line
from lpharness.console.patterns import FRAME, Pattern, Patterns, Severity, bundled_patterns

REPORT_LINES = 120
"""Longest report, in lines: a kernel that dies in the middle of one never ends it."""
AFTERMATH_LINES = 40
"""Lines after a report's end in which it may still have an aftermath (registers come twice)."""
_SLICE = 1 << 18
_OPEN_REPORTS = 16  # callers (CPUs, tasks) whose reports may be open at once

_TASK = re.compile(r"CPU: \d+ (?:UID: \d+ )?PID: (\d+) Comm: (.+?) (?:Tainted|Not tainted|Kdump)")
_HUNG = re.compile(r"task:(\S.*?) +state:\w .*?pid:(\d+)")
_RIP = re.compile(rf"(?:RIP: 0010:|pc : )({FRAME})")
_FRAME = re.compile(rf"\s*({FRAME})")
_END = re.compile(r"---\[ end (?:trace|Kernel panic)")


class Finding(Struct, frozen=True):
    """One event on the console."""

    name: str
    severity: str
    """``fatal``, ``bad``, ``odd`` or ``expected``: a `Severity`'s value."""
    line: int
    """1-based line of the console that announced it."""
    text: str
    """That line, without printk's prefix, and what the report adds to it (``more`` in
    ``patterns.toml``)."""
    stamp: float | None = None
    """The kernel's own seconds since boot."""
    function: str = ""
    """``function+offset/size [module]`` that the report is about; empty where none is named."""
    task: str = ""
    """``comm:pid`` that the report is about; empty where none is named."""

    @property
    def detail(self) -> str:
        """Function and task in words; empty where neither is known."""
        parts = [f"in {self.function}" if self.function else "", self.task and f"task {self.task}"]
        return ", ".join(part for part in parts if part)


class _Report:
    """A report under way: what is known of it, and whether it was told yet."""

    def __init__(
        self,
        pattern: Pattern,
        line: Line,
        groups: dict[str, str],
        reads: tuple[re.Pattern[str], ...] = (),
    ) -> None:
        self.pattern = pattern
        self.first = line
        self.function = groups.get("function", "")
        self.task = groups.get("task", "")
        self.ended_at: int | None = None
        self.told = False
        self._reads = reads
        self._more: dict[re.Pattern[str], str] = {}
        self._frames = False

    def read(self, text: str, skip: frozenset[str]) -> None:
        """Take function and task out of one more line, and what else its class tells there."""
        for regex in self._reads:
            if found := regex.search(f"{self.first.text}\n{text}"):
                self._take(regex, found.groupdict())
        if not self.task and (found := _TASK.search(text)):
            self.task = f"{found[2]}:{found[1]}"
        elif not self.task and (found := _HUNG.match(text)):
            self.task = f"{found[1]}:{found[2]}"
        if _base(self.function) in skip:
            self.function = ""
        if self.function:
            return
        if "Call Trace:" in text or "Call trace:" in text:
            self._frames = True
        named = _RIP.search(text) or (_FRAME.match(text) if self._frames else None)
        if named and _base(named[1]) not in skip:
            self.function = named[1]

    def _take(self, regex: re.Pattern[str], groups: dict[str, str | None]) -> None:
        self.function = self.function or groups.get("function") or ""
        if not self.task and groups.get("comm"):
            self.task = f"{groups['comm']}:{groups['pid']}"
        if more := groups.get("more"):
            self._more.setdefault(regex, more)

    def finding(self) -> Finding:
        line = self.first
        return Finding(
            name=self.pattern.name,
            severity=self.pattern.severity.value,
            line=line.number,
            text=": ".join([line.text, *self._more.values()]),
            stamp=line.stamp,
            function=self.function,
            task=self.task,
        )


def _base(function: str) -> str:
    return function.split("+", 1)[0].removesuffix(".cold")


class Classifier:
    """Turns console bytes into findings; feed it as they come, then call `finish` once."""

    def __init__(self, patterns: Patterns | None = None) -> None:
        self._patterns = patterns or bundled_patterns()
        self._buffer = LineBuffer()
        self._lines = 0
        self._reports: dict[str, _Report] = {}

    @property
    def pending(self) -> tuple[Finding, ...]:
        """Reports that are announced on the console but held back until their function is known.

        Ask for them when the console falls silent; they come out of `feed` or `finish` later.
        """
        return tuple(report.finding() for report in self._reports.values() if not report.told)

    def feed(self, data: bytes) -> list[Finding]:
        """Return what the bytes complete, in the console's order of completion."""
        findings: list[Finding] = []
        for start in range(0, len(data), _SLICE):
            self._block(self._buffer.push(data[start : start + _SLICE]), findings)
        return findings

    def finish(self) -> list[Finding]:
        """Return what is left: an unfinished last line, reports that never ended."""
        findings: list[Finding] = []
        if rest := self._buffer.flush():
            self._block(rest + b"\n", findings)
        for report in self._reports.values():
            self._tell(report, findings)
        self._reports.clear()
        return findings

    def _block(self, block: bytes, findings: list[Finding]) -> None:
        """Work through whole lines: hop to the promising ones, walk while a report is open."""
        promising = iter(self._patterns.promising(block))
        ahead = next(promising, len(block))
        at = 0
        while True:
            if not self._reports:
                self._lines += block.count(b"\n", at, ahead)
                at = ahead
            if at >= len(block):
                return
            end = block.index(b"\n", at)
            self._lines += 1
            self._line(parse_line(self._lines, block[at:end]), findings)
            at = end + 1
            while ahead < at:
                ahead = next(promising, len(block))

    def _line(self, line: Line, findings: list[Finding]) -> None:
        self._close_overlong(line.number, findings)
        report = self._reports.get(line.caller)
        if matched := self._patterns.match(line.text):
            pattern, groups = matched
            if report and pattern.belongs_to(report.pattern, ended=report.ended_at is not None):
                report.read(line.text, self._patterns.skip_frames)
            elif pattern.report:
                self._open(_Report(pattern, line, groups, self._patterns.reads(pattern)), findings)
            else:
                findings.append(_single(pattern, line, groups))
        elif report and report.ended_at is None:
            report.read(line.text, self._patterns.skip_frames)
            if _END.match(line.text):
                report.ended_at = line.number
        report = self._reports.get(line.caller)
        if report and (report.ended_at is not None or (report.function and report.task)):
            self._tell(report, findings)

    def _open(self, report: _Report, findings: list[Finding]) -> None:
        previous = self._reports.pop(report.first.caller, None)
        if previous is None and len(self._reports) >= _OPEN_REPORTS:
            previous = self._reports.pop(next(iter(self._reports)))
        if previous:
            self._tell(previous, findings)
        report.read("", self._patterns.skip_frames)
        self._reports[report.first.caller] = report

    def _close_overlong(self, number: int, findings: list[Finding]) -> None:
        for caller, report in list(self._reports.items()):
            ended = report.ended_at
            limit = report.first.number + REPORT_LINES if ended is None else ended + AFTERMATH_LINES
            if number > limit:
                self._tell(report, findings)
                del self._reports[caller]

    @staticmethod
    def _tell(report: _Report, findings: list[Finding]) -> None:
        if not report.told:
            report.told = True
            findings.append(report.finding())


def _single(pattern: Pattern, line: Line, groups: dict[str, str]) -> Finding:
    return Finding(
        name=pattern.name,
        severity=pattern.severity.value,
        line=line.number,
        text=line.text,
        stamp=line.stamp,
        task=groups.get("task", ""),
    )


def classify_text(text: str | bytes) -> list[Finding]:
    """Return the findings of a whole console log, in the order of its lines."""
    classifier = Classifier()
    data = text.encode() if isinstance(text, str) else text
    return sorted([*classifier.feed(data), *classifier.finish()], key=lambda found: found.line)


__all__ = ["Classifier", "Finding", "Severity", "classify_text"]
