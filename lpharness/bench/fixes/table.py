"""The account of ``bench fixes``: how many, and why not the others."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath

from msgspec import Struct

from lpharness.bench.fixes.model import COUNTED_APART, Fix, Outcome, Settings
from lpharness.results.text import one_line


class Account(Struct, frozen=True, kw_only=True):
    """What a set of fixes came to."""

    name: str
    fixes: int
    apart: dict[str, int]
    """Not asked of a livepatch: they need others, or change no code."""
    asked: int
    outcomes: dict[str, int]
    """Of those asked."""
    refusals: dict[str, int]
    """By the engine's word for the reason."""
    functions: int
    called: int
    build_median_s: float | None
    transition_median_s: float | None
    transition_most_s: float | None

    @property
    def share(self) -> float | None:
        """How many of those asked came out clean, from 0 to 1."""
        return self.outcomes.get(Outcome.CLEAN, 0) / self.asked if self.asked else None


def accounts(settings: Settings, fixes: Sequence[Fix], drawn: Iterable[str]) -> list[Account]:
    """Return the account of the sample, of each whole folder, and of those tried with others."""
    sample = set(drawn)
    alone = [fix for fix in fixes if len(fix.files) == 1]
    together = [fix for fix in fixes if len(fix.files) > 1]
    every = alone + _apart(together)
    found = [account("sample", [fix for fix in every if fix.path in sample])]
    for folder in settings.whole:
        within = [
            f for f in alone + _apart(together) if PurePosixPath(f.path).is_relative_to(folder)
        ]
        found.append(account(folder, within))
    found.append(account("all", alone + _apart(together)))
    if together:
        found.append(account("with what they need", together))
    return found


def account(name: str, fixes: Sequence[Fix]) -> Account:
    """Count."""
    apart = Counter(fix.outcome.value for fix in fixes if fix.outcome in COUNTED_APART)
    asked = [fix for fix in fixes if fix.outcome not in COUNTED_APART]
    moved = [fix.transition_s for fix in asked if fix.transition_s is not None]
    built = [fix.build_s for fix in asked if fix.sha256]
    return Account(
        name=name,
        fixes=len(fixes),
        apart=dict(apart),
        asked=len(asked),
        outcomes=dict(Counter(fix.outcome.value for fix in asked)),
        refusals=dict(Counter(f.kind for f in asked if f.outcome is Outcome.REFUSED).most_common()),
        functions=sum(fix.functions for fix in asked),
        called=sum(fix.called for fix in asked),
        build_median_s=statistics.median(built) if built else None,
        transition_median_s=statistics.median(moved) if moved else None,
        transition_most_s=max(moved, default=None),
    )


def _apart(together: Sequence[Fix]) -> list[Fix]:
    """Return those that were tried with others as what they are by themselves."""
    return [Fix(path=fix.path, files=(fix.path,), outcome=Outcome.NEEDS_OTHERS) for fix in together]


def markdown(settings: Settings, fixes: Sequence[Fix], drawn: Iterable[str]) -> str:
    """Return the whole account as a page."""
    return "\n".join(_lines(settings, fixes, drawn)) + "\n"


def _lines(settings: Settings, fixes: Sequence[Fix], drawn: Iterable[str]) -> Iterator[str]:
    yield "# Shipped fixes as livepatches"
    yield ""
    yield (
        f"Each changed `.c` file between linux {settings.old} and {settings.new} that "
        f"`{settings.kernel}` is built from, as one livepatch: {settings.sample} drawn by seed "
        f"{settings.seed}, and all of {', '.join(settings.whole) or 'no folder'}."
    )
    yield ""
    columns = ["", "fixes", *COUNTED_APART, "asked", *_ASKED, "share clean", "build, median",
               "transition, median and most", "functions replaced, entered"]  # fmt: skip
    yield "| " + " | ".join(columns) + " |"
    yield "|" + "---|" * len(columns)
    for one in accounts(settings, fixes, drawn):
        share = "" if one.share is None else f"{one.share:.1%}"
        cells = [
            one.name, one.fixes, *(one.apart.get(kind, 0) for kind in COUNTED_APART), one.asked,
            *(one.outcomes.get(kind, 0) for kind in _ASKED), share, _seconds(one.build_median_s),
            f"{_seconds(one.transition_median_s)}, {_seconds(one.transition_most_s)}",
            f"{one.functions}, {one.called}",
        ]  # fmt: skip
        yield "| " + " | ".join(map(str, cells)) + " |"
    yield ""
    yield "Refused, by reason: " + (
        ", ".join(f"{kind} {n}" for kind, n in account("", fixes).refusals.items()) or "none"
    )
    for outcome in _SHOWN:
        rows = [fix for fix in fixes if fix.outcome is outcome]
        if rows:
            yield from ("", f"## {outcome.value.capitalize()}", "")
            yield from map(_reason, rows)
    yield from ("", "## Each", "")
    yield "| file | outcome | reason | object | functions | transition | verdict | build | trial |"
    yield "|---|---|---|---|---|---|---|---|---|"
    yield from map(_row, fixes)


def _reason(fix: Fix) -> str:
    word = f"{fix.kind}: " if fix.kind else ""
    others = f" (with {', '.join(fix.files[1:])})" if fix.files[1:] else ""
    return f"- `{fix.path}`{others}: {word}{one_line(fix.reason)}"


def _row(fix: Fix) -> str:
    with_others = f" with {len(fix.files) - 1} more" if fix.files[1:] else ""
    cells = (
        f"`{fix.path}`{with_others}", fix.outcome.value, fix.kind, ", ".join(fix.objects),
        fix.functions or "", _seconds(fix.transition_s), fix.verdict.value if fix.verdict else "",
        _seconds(fix.build_s), _seconds(fix.trial_s or None),
    )  # fmt: skip
    return "| " + " | ".join(map(str, cells)) + " |"


_ASKED = (
    Outcome.CLEAN,
    Outcome.PARTLY,
    Outcome.REFUSED,
    Outcome.HARMED,
    Outcome.UNSURE,
    Outcome.BROKEN,
)
_SHOWN = (
    Outcome.HARMED,
    Outcome.BROKEN,
    Outcome.UNSURE,
    Outcome.REFUSED,
    Outcome.PARTLY,
)


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} s"
