"""What a check is: a pure function from a recording to a verdict with evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from msgspec import Struct

from lpharness.cases.model import Case
from lpharness.results.model import CheckResult, TrialId
from lpharness.timeline.events import Event

E = TypeVar("E", bound=Event)


class PatchedFunction(Struct, frozen=True, kw_only=True):
    """A ``klp_func`` as read out of the built module."""

    module: str
    object: str
    old: str
    sympos: int
    new: str


class Selftest(Struct, frozen=True, kw_only=True):
    """One of the kernel's own test programs, which a trial may be about instead of a case."""

    collection: str
    """Folder below ``tools/testing/selftests``: ``livepatch``."""
    program: str
    """``test-state.sh``."""
    tests: tuple[str, ...]
    """The tests that it says it has, in order."""

    @property
    def name(self) -> str:
        """What kselftest calls it: ``livepatch:test-state.sh``."""
        return f"{self.collection}:{self.program}"


class Recording(Struct, frozen=True, kw_only=True):
    """All that is known of a trial when its checks are run; nothing else may be looked at."""

    id: TrialId
    case: Case
    functions: tuple[PatchedFunction, ...]
    events: Sequence[Event]
    console: Sequence[str]
    """Lines of the kernel's console; line N of the log is ``console[N - 1]``."""
    accelerator: str = "tcg"
    control: Recording | None = None
    """Of the guest without the patch, in which the case's flaw was to be seen."""
    selftest: Selftest | None = None
    """What the trial is about, if it is one of the kernel's own tests; then `case` has no module.
    """

    def of(self, kind: type[E]) -> Iterator[tuple[int, E]]:
        """Yield the events of a kind with their index in the timeline."""
        for index, event in enumerate(self.events):
            if isinstance(event, kind):
                yield index, event


Check = Callable[[Recording], CheckResult]
