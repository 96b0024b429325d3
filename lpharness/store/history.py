"""What people ask of the past: since when does it fail, and what comes out now so, now so?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy.orm import Session

from lpharness.results.model import Verdict
from lpharness.store.database import Store
from lpharness.store.tables import TrialRow
from lpharness.store.trials import EVERYTHING, Found, Line, Which, found_in, modules_of

GOOD = frozenset({Verdict.PASS, Verdict.XFAIL})
"""Verdicts that say the patch and the kernel do right, or what the case declares."""
BAD = frozenset({Verdict.FAIL, Verdict.XPASS})
"""Verdicts that say they do not. All others say nothing of them."""


class Failing(Struct, frozen=True, kw_only=True):
    """When a line of trials began to fail, and what was new then."""

    since: Found
    """The first of the failures that have not stopped."""
    before: Found | None
    """The last that was good; ``None`` if none ever was."""
    changed: tuple[str, ...]
    """What differs between the two: ``kernel 6.1.192-1 to 6.1.192-2``, ``livepatch lph_x``."""


class History(Struct, frozen=True, kw_only=True):
    """All trials of one line in the order in which they were started."""

    line: Line
    trials: tuple[Found, ...]
    failing: Failing | None
    """``None`` if the last verdict that says anything is a good one."""
    flaky: bool
    """Whether the very same was tested and came out now good, now bad."""

    @property
    def last(self) -> Found:
        """The newest trial."""
        return self.trials[-1]

    @property
    def good(self) -> int:
        """How many came out well."""
        return sum(trial.verdict in GOOD for trial in self.trials)

    @property
    def bad(self) -> int:
        """How many came out badly."""
        return sum(trial.verdict in BAD for trial in self.trials)

    @property
    def silent(self) -> int:
        """How many said nothing: errors, and what was skipped."""
        return len(self.trials) - self.good - self.bad


def histories(store: Store, which: Which = EVERYTHING) -> list[History]:
    """Return the past of all lines that have trials of those that are meant, by line.

    All attempts count: that the second came out well does not undo the first.

    Raises:
        InputError: ``which.run`` means no run.
        HostError: the store cannot be read.
    """
    lines: dict[Line, list[Found]] = defaultdict(list)
    with store.reading() as session:
        for found in found_in(session, replace(which, attempts=True)):
            lines[found.line].append(found)
        return [
            History(
                line=line,
                trials=tuple(trials),
                failing=_failing(session, trials),
                flaky=is_flaky(trials),
            )
            for line, trials in sorted(lines.items())
        ]


def is_flaky(trials: Sequence[Found]) -> bool:
    """Say whether the very same (kernel, livepatches, image) came out both good and bad."""
    seen: dict[str, set[bool]] = defaultdict(set)
    for trial in trials:
        if trial.subject and trial.verdict in GOOD | BAD:
            seen[trial.subject].add(trial.verdict in GOOD)
    return any(len(outcomes) > 1 for outcomes in seen.values())


def _failing(session: Session, trials: Sequence[Found]) -> Failing | None:
    since, before = None, None
    for trial in reversed(trials):
        if trial.verdict in GOOD:
            before = trial
            break
        if trial.verdict in BAD:
            since = trial
    if since is None:
        return None
    return Failing(since=since, before=before, changed=tuple(_changes(session, before, since)))


def _changes(session: Session, before: Found | None, since: Found) -> Iterator[str]:
    """Yield what differs between the last good trial and the first bad one."""
    if before is None:
        return
    if before.kernel != since.kernel:
        yield f"kernel {before.kernel} to {since.kernel}"
    elif before.kernel_version != since.kernel_version:
        yield f"kernel {before.kernel_version} to {since.kernel_version}"
    modules = modules_of(session, TrialRow.id.in_((before.id, since.id)))
    old, new = modules[before.id], modules[since.id]
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            yield f"livepatch {name}"
    if before.accelerator != since.accelerator:
        yield f"accelerator {before.accelerator} to {since.accelerator}"
