"""How long work tells what it is doing, without knowing who listens."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Step(Protocol):
    """One piece of work under way."""

    def update(self, done: int, total: int | None = None) -> None:
        """Say that ``done`` of ``total`` units (bytes, files) are through."""

    def note(self, text: str) -> None:
        """Add a few words on the state of the work."""


class Progress(Protocol):
    """Receives steps; the command line draws them, tests and libraries ignore them."""

    def step(self, text: str, *, unit: str = "") -> AbstractContextManager[Step]:
        """Open a step that lasts as long as the ``with`` block; ``unit`` is ``B`` for bytes."""


class _Nothing:
    def update(self, done: int, total: int | None = None) -> None: ...

    def note(self, text: str) -> None: ...


class Silent:
    """A `Progress` that says nothing."""

    def step(self, text: str, *, unit: str = "") -> AbstractContextManager[Step]:  # noqa: ARG002
        """Return a step nobody sees."""
        return nullcontext(_Nothing())


SILENT: Progress = Silent()
