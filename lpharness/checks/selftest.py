"""How did one of the kernel's own test programs come out, as a whole and test by test?

kselftest's runner tells in KTAP how the program ended. Of the tests in it a livepatch program tells
in lines of its own, ``TEST: name ... ok``, and it ends with the first that is not ok; the ones
after that were never begun.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from lpharness.checks.contract import Recording, Selftest
from lpharness.checks.ktap import KtapTest, parse_ktap
from lpharness.checks.ledger import Ledger
from lpharness.checks.story import Story
from lpharness.results.model import CheckResult, Evidence, Verdict
from lpharness.timeline.events import SelftestEnded, SelftestSaid

WHOLE = "kselftest"
"""The check of the program as a whole."""
_TEST = re.compile(r"TEST: (?P<name>.*?) \.\.\. ?(?P<rest>.*)$")
_SKIPPED = re.compile(r"(?:SKIP: |skip all tests: )(?P<why>.*)$")
_DIED = re.compile(r"ERROR: (?P<why>.*)$")
_UNDONE = re.compile(
    r"command not found|Can't find|FATAL: Module \S+ not found|Invalid module format"
    r"|Unknown symbol in module|No space left on device|Cannot allocate memory"
)
"""What is said where the harness did not give a test what it needs."""
_NEVER_BEGAN = re.compile(r"exit=12[567]$")
"""What the runner says when ``timeout``, ``stdbuf`` or the program itself could not be started."""
_MOST_LINES = 60


class Told(Struct, frozen=True, kw_only=True):
    """What the output says of one test."""

    name: str
    verdict: Verdict
    summary: str
    lines: tuple[str, ...] = ()
    """From its beginning to where the next one begins."""


def judge_selftest(recording: Recording) -> tuple[CheckResult, ...]:
    """Judge the program as a whole, and each of its tests."""
    selftest = recording.selftest
    assert selftest is not None
    lines = [event.line for _, event in recording.of(SelftestSaid)]
    told = read_tests(lines, selftest, why_cut_off(recording))
    return (_whole(recording, lines), *(_result(test) for test in told))


def read_tests(lines: Sequence[str], selftest: Selftest, cut_off: str = "") -> list[Told]:
    """Read what the output of a program says of each of its tests.

    Args:
        lines: the runner's output.
        selftest: what was run.
        cut_off: why the output ends before its time, if it does.
    """
    found = [_told(name, after, cut_off) for name, after in _tests(_unwrapped(lines))]
    seen = [test.name for test in found]
    why = _skipped(lines) if not _lacked(lines) else ""
    why = why or next(
        (f"not begun: {test.name!r} ended the program" for test in found
         if test.verdict is not Verdict.PASS), "",
    )  # fmt: skip
    unseen = [name for name in selftest.tests if name not in seen]
    if why or cut_off:
        verdict = Verdict.SKIP if why else Verdict.ERROR
        found += [Told(name=name, verdict=verdict, summary=why or cut_off) for name in unseen]
    else:
        said = _lacked(lines) or "the program does not tell of it"
        found += [Told(name=name, verdict=Verdict.ERROR, summary=said) for name in unseen]
    return found


def why_cut_off(recording: Recording) -> str:
    """Return why the output is not whole; empty if it is."""
    ended = next((event for _, event in recording.of(SelftestEnded)), None)
    if ended is None:
        return Story(recording).died or "the program was not seen to end"
    return ended.detail if ended.exit_status is None else ""


def _whole(recording: Recording, lines: Sequence[str]) -> CheckResult:
    story, ledger = Story(recording), Ledger(WHOLE)
    ended = next(recording.of(SelftestEnded), None)
    read = parse_ktap("\n".join(lines))
    test = read.tests[-1] if read.tests else None
    if death := story.death:
        if death.verdict is Verdict.FAIL:
            ledger.wrong("the guest's life", death.text, death.at)
        else:
            ledger.missing("the guest's life", death.text, death.at)
    elif ended is None:
        ledger.missing("end of the program", why_cut_off(recording))
    elif test is None:
        why = why_cut_off(recording) or ended[1].detail
        ledger.missing("result", f"none was told: {why}" if why else "none was told", ended)
    elif test.verdict is Verdict.SKIP and not _lacked(lines):
        return ledger.skip(_skipped(lines) or test.reason or "the program says SKIP, not why")
    elif _NEVER_BEGAN.match(test.reason):
        ledger.missing("result", f"the program could not be started: {_line(test)}", ended)
    elif test.verdict is Verdict.ERROR or _lacked(lines):
        ledger.missing("result", _lacked(lines) or _line(test), ended)
    else:
        ledger.hold("result", test.verdict is Verdict.PASS, _line(test), "ok", ended)
    return ledger.result(_line(test) if test else "")


def _line(test: KtapTest) -> str:
    """Return a result line of KTAP as it was written."""
    sign = "ok" if test.ok else "not ok" if test.ok is False else "no result for"
    said = (
        f" # {f'{test.directive} {test.reason}'.strip()}" if test.directive or test.reason else ""
    )
    return f"{sign} {test.name}{said}"


def _unwrapped(lines: Sequence[str]) -> list[str]:
    """Return the program's own lines, which the runner begins with ``#``."""
    return [line.removeprefix("#").removeprefix(" ") for line in lines if line.startswith("#")]


def _tests(lines: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Return each test's name, and its lines from the rest of the first on."""
    tests: list[tuple[str, list[str]]] = []
    for line in lines:
        if match := _TEST.match(line):
            tests.append((match["name"], [match["rest"]]))
        elif tests:
            tests[-1][1].append(line)
    return tests


def _told(name: str, lines: list[str], cut_off: str) -> Told:
    said = tuple(line for line in lines if line.strip())[:_MOST_LINES]
    first = lines[0].strip()
    if first == "ok":
        return Told(name=name, verdict=Verdict.PASS, summary="ok")
    if why := _lacked(lines):
        return Told(name=name, verdict=Verdict.ERROR, summary=why, lines=said)
    if first not in ("not ok", "FAIL") and (why := _skipped(lines)):
        return Told(name=name, verdict=Verdict.SKIP, summary=why, lines=said)
    if died := _search(_DIED, lines):
        summary = f"not ok: {died}"
        return Told(name=name, verdict=Verdict.FAIL, summary=summary, lines=said)
    if first in ("not ok", "FAIL"):
        return Told(name=name, verdict=Verdict.FAIL, summary=first, lines=said)
    why = cut_off or "it began, and nothing was told of its end"
    return Told(name=name, verdict=Verdict.ERROR, summary=why, lines=said)


def _skipped(lines: Sequence[str]) -> str:
    return _search(_SKIPPED, [line.removeprefix("#").removeprefix(" ") for line in lines])


def _lacked(lines: Sequence[str]) -> str:
    """Return the line that says that a test was not given what it needs."""
    return next((line.lstrip("# ") for line in lines if _UNDONE.search(line)), "")


def _search(pattern: re.Pattern[str], lines: Sequence[str]) -> str:
    return next((match["why"] for line in lines if (match := pattern.search(line))), "")


def _result(test: Told) -> CheckResult:
    good = {Verdict.PASS: True, Verdict.FAIL: False}.get(test.verdict)
    seen = "\n".join(test.lines) or test.summary
    evidence = Evidence(what="what it said", seen=seen, wanted="ok", good=good)
    return CheckResult(
        check=test.name, verdict=test.verdict, summary=test.summary, evidence=(evidence,)
    )
