"""Progress that is told to whoever submitted a task."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from msgspec import Struct

from lpharness.base.progress import Step
from lpharness.executor.contract import Site

_EVERY_S = 0.2
"""More often nobody reads it."""


class StepNews(Struct, frozen=True, kw_only=True):
    """Where a piece of work stands."""

    text: str
    note: str = ""
    done: int = 0
    total: int | None = None
    unit: str = ""
    seconds: float | None = None
    """How long it took, once it is through."""


class ToldProgress:
    """A `Progress` whose steps become news of a task."""

    def __init__(self, site: Site) -> None:
        self._site = site

    @contextmanager
    def step(self, text: str, *, unit: str = "") -> Iterator[Step]:
        """Tell of a step while the ``with`` block lasts, and how long it took at its end."""
        began = time.monotonic()
        self._site.tell(StepNews(text=text, unit=unit))
        yield _Telling(self._site, text, unit)
        self._site.tell(StepNews(text=text, unit=unit, seconds=time.monotonic() - began))


class _Telling:
    def __init__(self, site: Site, text: str, unit: str) -> None:
        self._site, self._text, self._unit = site, text, unit
        self._note, self._done, self._total = "", 0, None  # type: str, int, int | None
        self._next = 0.0

    def update(self, done: int, total: int | None = None) -> None:
        self._done, self._total = done, total
        self._tell()

    def note(self, text: str) -> None:
        self._note = text
        self._tell()

    def _tell(self) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _EVERY_S
        self._site.tell(
            StepNews(
                text=self._text,
                note=self._note,
                done=self._done,
                total=self._total,
                unit=self._unit,
            )
        )
