"""What a gate finds, and what it answers."""

from __future__ import annotations

from enum import IntEnum

from msgspec import Struct

from lpharness.gate.policy import Answer
from lpharness.store.trials import Line


class Ship(IntEnum):
    """The answer, and the process's exit status."""

    YES = 0
    NO = 1
    UNKNOWN = 3
    """Nobody can say."""


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that speaks against a release, or that is worth telling."""

    kind: str
    """One of `lpharness.gate.policy.Answers`, or ``better``."""
    answer: Answer
    about: str
    """What it is about: a line, a demand, or a measure of one or all lines."""
    said: str
    """One sentence without a full stop."""
    line: Line | None = None


class Comparison(Struct, frozen=True, kw_only=True):
    """A measure of one line, or of all together, held against the baseline's."""

    measure: str
    line: Line | None
    """``None`` for all of them together."""
    lines: int
    """How many have values on both sides."""
    baseline: int
    """How many values."""
    candidate: int
    ratio: float
    """The candidate's median as a share of the baseline's; of all lines the middle one's."""
    p: float
    verdict: str
    """``slower``, ``fine``, or ``few``: too few values to say."""

    @property
    def about(self) -> str:
        """What is compared, for people."""
        return f"{self.measure} of {self.line or f'all {self.lines} lines together'}"


class Decision(Struct, frozen=True, kw_only=True):
    """The gate's answer with all that it rests on."""

    ship: Ship
    answer: str
    """One paragraph."""
    baseline: str
    candidate: str
    lines: int
    """How many were looked at."""
    demands: int
    """How many things were demanded by name."""
    met: int
    """How many of them were tried, and said something often enough."""
    findings: tuple[Finding, ...]
    comparisons: tuple[Comparison, ...]
    alpha: float
