"""Reads KTAP, the kernel's own test format, and the TAP that kselftest's runner writes.

Source: ``Documentation/dev-tools/ktap.rst``. Tests in the field are not strict, so neither is this:
any text has a reading, and what it lacks (a result, a plan, tests that the plan promised) can be
seen in it. kselftest puts the whole output of a test program into lines that begin with ``#``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from msgspec import Struct

from lpharness.results.model import Verdict

_VERSION = re.compile(r"K?TAP version \d+\s*$")
_PLAN = re.compile(r"1\.\.(?P<count>\d{1,9})\s*(?:#\s*(?P<said>.*))?$")
_RESULT = re.compile(r"(?P<no>not )?ok\b(?: (?P<number>\d{1,9}))?(?: +- | +|$)(?P<rest>.*)$")
_SUBTEST = re.compile(r"# Subtest: ?(?P<name>.*)$")
_BAIL = re.compile(r"Bail out!\s*(?P<why>.*)$")
_DIRECTIVE = re.compile(
    r"(?P<word>SKIP|TODO|XFAIL|TIMEOUT|ERROR)\b\S*\s*(?P<why>.*)$", re.IGNORECASE
)


class KtapTest(Struct, frozen=True, kw_only=True):
    """One test: its result line, and what came before that."""

    name: str
    ok: bool | None
    """``None`` where a test began and no result line came."""
    number: int | None = None
    directive: str = ""
    """``SKIP``, ``TODO``, ``XFAIL``, ``TIMEOUT`` or ``ERROR``."""
    reason: str = ""
    """What follows the directive, or else the ``#`` of the result line."""
    diagnostics: tuple[str, ...] = ()
    """Lines between the result before and this one, without their ``# ``."""
    plan: int | None = None
    """How many subtests were promised."""
    subtests: tuple[KtapTest, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """What it comes to; a time-out says nothing about the kernel, on a slow machine."""
        if self.ok is None or self.directive in ("TIMEOUT", "ERROR"):
            return Verdict.ERROR
        if self.directive == "SKIP":
            return Verdict.SKIP
        if self.directive in ("TODO", "XFAIL"):
            return Verdict.XFAIL
        return Verdict.PASS if self.ok else Verdict.FAIL


class Ktap(Struct, frozen=True, kw_only=True):
    """A whole document."""

    tests: tuple[KtapTest, ...] = ()
    version: bool = False
    """Whether it says that it is KTAP or TAP."""
    plan: int | None = None
    skipped: str = ""
    """Why all of it was skipped (``1..0 # SKIP why``)."""
    bail: str | None = None
    """Why it was given up, if so."""
    diagnostics: tuple[str, ...] = ()
    """Lines that came after the last result."""

    @property
    def missing(self) -> int:
        """How many of the tests that the plan promised have no result."""
        told = sum(1 for test in self.tests if test.ok is not None)
        return max(0, (self.plan or 0) - told)


@dataclass
class _Level:
    """Tests of one depth, while they are read."""

    indent: int
    name: str = ""
    version: bool = False
    plan: int | None = None
    skipped: str = ""
    tests: list[KtapTest] = field(default_factory=list)
    diagnostics: list[str] = field(default_factory=list)


def parse_ktap(text: str) -> Ktap:
    """Read a document; never raises."""
    reader = _Reader()
    for line in text.split("\n"):
        reader.read(line.rstrip("\r"))
    return reader.end()


class _Reader:
    def __init__(self) -> None:
        self._levels = [_Level(0)]
        self._bail: str | None = None

    def read(self, line: str) -> None:
        body = line.lstrip(" ")
        indent = len(line) - len(body)
        if match := _RESULT.match(body):
            self._result(match, indent)
        elif _VERSION.match(body):
            self._level(indent).version = True
        elif match := _PLAN.match(body):
            level = self._level(indent)
            level.plan = int(match["count"])
            directive, why = _directive(match["said"] or "")
            if directive == "SKIP":
                level.skipped = why or "no reason is given"
        elif match := _SUBTEST.match(body):
            self._level(indent).name = match["name"].strip()
        elif match := _BAIL.match(body):
            self._bail = match["why"]
        elif body:
            self._levels[-1].diagnostics.append(body.removeprefix("#").removeprefix(" "))

    def end(self) -> Ktap:
        while len(self._levels) > 1:
            inner = self._levels.pop()
            self._levels[-1].tests.append(_closed(inner, name=inner.name, ok=None))
        whole = self._levels[0]
        return Ktap(
            tests=tuple(whole.tests),
            version=whole.version,
            plan=whole.plan,
            skipped=whole.skipped,
            bail=self._bail,
            diagnostics=tuple(whole.diagnostics),
        )

    def _level(self, indent: int) -> _Level:
        """Return the level of an indentation, opened if need be."""
        while len(self._levels) > 1 and self._levels[-1].indent > indent:
            inner = self._levels.pop()
            self._levels[-1].tests.append(_closed(inner, name=inner.name, ok=None))
        if self._levels[-1].indent < indent:
            self._levels.append(_Level(indent))
        return self._levels[-1]

    def _result(self, match: re.Match[str], indent: int) -> None:
        inner: _Level | None = None
        while len(self._levels) > 1 and self._levels[-1].indent > indent:
            outer = self._levels.pop()
            if inner is not None:
                outer.tests.append(_closed(inner, name=inner.name, ok=None))
            inner = outer
        level = self._level(indent)
        name, _, said = match["rest"].partition("#")
        directive, why = _directive(said)
        level.tests.append(
            _closed(
                inner or _Level(indent),
                name=name.strip(),
                ok=not match["no"],
                number=int(match["number"]) if match["number"] else None,
                directive=directive,
                reason=why,
                before=level.diagnostics,
            )
        )
        level.diagnostics.clear()


def _closed(
    inner: _Level,
    *,
    name: str,
    ok: bool | None,
    number: int | None = None,
    directive: str = "",
    reason: str = "",
    before: list[str] | None = None,
) -> KtapTest:
    return KtapTest(
        name=name,
        ok=ok,
        number=number,
        directive=directive or ("SKIP" if inner.skipped else ""),
        reason=reason or inner.skipped,
        diagnostics=(*(before or ()), *inner.diagnostics),
        plan=inner.plan,
        subtests=tuple(inner.tests),
    )


def _directive(said: str) -> tuple[str, str]:
    said = said.strip()
    match = _DIRECTIVE.match(said)
    return (match["word"].upper(), match["why"].strip()) if match else ("", said)
