"""What an executor is, wherever it lets work be done.

``tests/unit/executor_contract.py`` is this contract as a test suite; every executor inherits it.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from msgspec import Struct


class Needs(Struct, frozen=True, kw_only=True):
    """What a task takes of a machine while it runs there."""

    cpus: float = 1.0
    memory_mb: int = 0
    kvm: bool = False
    """Whether only a machine with KVM will do."""
    arch: str = ""
    """The machine's architecture, as ``uname -m`` names it; empty: any."""


class Site(Protocol):
    """Where a task is done."""

    folder: Path
    """What is written here is in the task's folder once its end is told."""

    def tell(self, news: Any) -> None:
        """Send word to whoever submitted the task, while it goes on."""


Call = Callable[[Site], Any]
"""The work itself: picklable, as is what it returns; it may run in another process or machine."""


class Task(Struct, frozen=True, kw_only=True):
    """A piece of work."""

    key: str
    """Unique among the tasks that an executor has at a time."""
    call: Call
    folder: Path
    """Where its files are to be in the end; with an executor elsewhere not before its end."""
    needs: Needs = Needs()
    rank: tuple[int, ...] = ()
    """Of those that could begin the one with the least begins first."""


class Began(Struct, frozen=True, kw_only=True):
    """A task is being done now."""

    key: str
    where: str
    """Whose hands it is in, for people."""


class News(Struct, frozen=True, kw_only=True):
    """A task sent word."""

    key: str
    news: Any


class How(StrEnum):
    """How a task ended."""

    RETURNED = "returned"
    RAISED = "raised"
    LOST = "lost"
    """Whoever had it in hand died; nobody knows how far it came."""
    CANCELLED = "cancelled"


class Ended(Struct, frozen=True, kw_only=True):
    """A task is through, one way or another."""

    key: str
    how: How
    result: Any = None
    """What it returned."""
    error: Exception | None = None
    """What it raised, or why it was lost."""
    where: str = ""

    @classmethod
    def with_content(cls, key: str, how: How, content: Any, where: str) -> Ended:
        """Return one whose content is what was returned, or else the error."""
        if how is How.RETURNED:
            return cls(key=key, how=how, result=content, where=where)
        return cls(key=key, how=how, error=content, where=where)


class Broken(Struct, frozen=True, kw_only=True):
    """The executor can do nothing any more; this is the last that it tells."""

    error: Exception
    key: str = ""


Event = Began | News | Ended | Broken
Told = Callable[[Event], None]
"""Is told of each task, in this order: began, its news, ended. One call at a time, from any thread.

A task that was lost on another machine may begin there or elsewhere again before it ends.
"""


class Executor(Protocol):
    """Does tasks; a context manager that leaves nothing running behind."""

    name: str

    def submit(self, task: Task) -> None:
        """Do a task as soon as there is room for it; one that is too big for all room runs alone.

        Raises:
            HostError: no task can be done any more.
        """

    def cancel(self, key: str) -> None:
        """Give a task up, begun or not; its end is told. One that is through stays as it is."""

    def close(self) -> None:
        """Give all tasks up, without a word, and end whoever worked on them; idempotent."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
