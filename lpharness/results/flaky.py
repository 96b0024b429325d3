"""Which attempt of a trial counts, and what is flaky: tried the same way, it came out otherwise."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

import msgspec
from msgspec import Struct

from lpharness.results.model import TrialId, Verdict


class Judged(Protocol):
    """A trial, or an attempt in short."""

    @property
    def id(self) -> TrialId:
        """What was tried."""

    @property
    def verdict(self) -> Verdict:
        """What it came to."""


J = TypeVar("J", bound=Judged)


class Flaky(Struct, frozen=True, kw_only=True):
    """Something that was tried several times, and did not always come out the same."""

    id: TrialId
    """Of all of them: that of the first."""
    verdicts: tuple[Verdict, ...]
    """In the order of the attempts and repeats."""

    @property
    def words(self) -> str:
        """What came out, for people: ``error, pass``."""
        return ", ".join(self.verdicts)


def counting(judged: Iterable[J]) -> list[J]:
    """Return of each trial the attempt that counts, which is its last."""
    last: dict[TrialId, J] = {}
    for one in judged:
        first = msgspec.structs.replace(one.id, attempt=0)
        if first not in last or one.id.attempt >= last[first].id.attempt:
            last[first] = one
    return list(last.values())


def any_time(trial: TrialId) -> TrialId:
    """Return what all attempts and repeats of a trial have in common."""
    return msgspec.structs.replace(trial, repeat=0, attempt=0)


def flaky(judged: Iterable[Judged]) -> list[Flaky]:
    """Return what did not come out the same over its attempts and repeats."""
    found: dict[TrialId, list[tuple[int, int, Verdict]]] = {}
    for one in judged:
        found.setdefault(any_time(one.id), []).append((one.id.repeat, one.id.attempt, one.verdict))
    return [
        Flaky(id=same, verdicts=tuple(verdict for _, _, verdict in sorted(verdicts)))
        for same, verdicts in found.items()
        if len({verdict for _, _, verdict in verdicts}) > 1
    ]
