"""Collects what a check looked at, and draws the verdict from it by one rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from lpharness.results.model import CheckResult, Evidence, Margin, Verdict
from lpharness.timeline.events import Event

MOST_EVIDENCE = 300
"""Pieces kept for, against and neither: a storm of findings must not drown the document."""


class Ledger:
    """Evidence for and against, and what is missing.

    The rule: anything wrong is a ``fail``; else anything missing is an ``error``, since what was
    not looked at cannot pass; else it is a ``pass`` if at least one thing was seen to be right.
    """

    def __init__(self, check: str) -> None:
        self.check = check
        self._evidence: list[Evidence] = []
        self._wrong: list[str] = []
        self._missing: list[str] = []
        self._right = 0
        self._dropped = 0
        self._kept: Counter[bool | None] = Counter()
        self._of_control = False

    @contextmanager
    def of_control(self) -> Iterator[None]:
        """What is noted meanwhile was seen in the control guest."""
        self._of_control = True
        try:
            yield
        finally:
            self._of_control = False

    def right(
        self,
        what: str,
        seen: str,
        at: tuple[int, Event] | None = None,
        *,
        wanted: str = "",
        console_line: int | None = None,
        margin: Margin | None = None,
    ) -> None:
        """Note something that is as it should be."""
        self._right += 1
        self._add(
            what, seen, at, good=True, wanted=wanted, console_line=console_line, margin=margin
        )

    def wrong(
        self,
        what: str,
        seen: str,
        at: tuple[int, Event] | None = None,
        *,
        wanted: str = "",
        console_line: int | None = None,
        margin: Margin | None = None,
    ) -> None:
        """Note something that the patch or the kernel did wrong."""
        self._wrong.append(f"{what}: {seen}")
        self._add(
            what, seen, at, good=False, wanted=wanted, console_line=console_line, margin=margin
        )

    def hold(
        self,
        what: str,
        right: bool,
        seen: str,
        wanted: str,
        at: tuple[int, Event] | None = None,
        *,
        margin: Margin | None = None,
    ) -> None:
        """Note something as right or wrong, by whether ``right`` holds."""
        if right:
            self.right(what, seen, at, wanted=wanted if wanted != seen else "", margin=margin)
        else:
            self.wrong(what, seen, at, wanted=wanted, margin=margin)

    def missing(self, what: str, why: str, at: tuple[int, Event] | None = None) -> None:
        """Note something that had to be looked at and was not, or could not be."""
        self._missing.append(f"{what}: {why}")
        self._add(what, why, at, good=None, wanted="evidence")

    def context(
        self,
        what: str,
        seen: str,
        at: tuple[int, Event] | None = None,
        *,
        console_line: int | None = None,
        margin: Margin | None = None,
    ) -> None:
        """Note something a reader should know that speaks neither for nor against."""
        self._add(what, seen, at, good=None, console_line=console_line, margin=margin)

    def result(self, summary: str, *, died: str = "") -> CheckResult:
        """Draw the verdict.

        Args:
            summary: the line for a pass.
            died: how the guest died, if it did: explains what is missing.
        """
        if self._dropped:
            self._evidence.append(Evidence(what="more evidence", seen=f"{self._dropped} not kept"))
        verdict, line = Verdict.PASS, summary
        if self._wrong:
            verdict, line = Verdict.FAIL, _first(self._wrong)
        elif self._missing:
            verdict, line = Verdict.ERROR, _first(self._missing)
            line = f"{line} ({died})" if died else line
        elif not self._right:
            verdict, line = Verdict.ERROR, "nothing was seen that could be judged"
        return CheckResult(
            check=self.check, verdict=verdict, summary=line, evidence=tuple(self._evidence)
        )

    def skip(self, why: str) -> CheckResult:
        """Answer that the question does not arise."""
        return CheckResult(
            check=self.check, verdict=Verdict.SKIP, summary=why, evidence=tuple(self._evidence)
        )

    def _add(
        self,
        what: str,
        seen: str,
        at: tuple[int, Event] | None,
        *,
        good: bool | None,
        wanted: str = "",
        console_line: int | None = None,
        margin: Margin | None = None,
    ) -> None:
        if self._kept[good] >= MOST_EVIDENCE:
            self._dropped += 1
            return
        self._kept[good] += 1
        index, event = at if at is not None else (None, None)
        self._evidence.append(
            Evidence(
                what=what,
                seen=seen,
                wanted=wanted,
                good=good,
                margin=margin,
                event=index,
                console_line=console_line,
                control=self._of_control,
                host_ns=event.host_ns if event else None,
                guest_ns=event.guest_ns if event else None,
            )
        )


def _first(lines: list[str]) -> str:
    return lines[0] if len(lines) == 1 else f"{lines[0]} (and {len(lines) - 1} more)"
