"""The account as tables, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from lpharness.bench.soundness.account import Account, Bound
from lpharness.bench.soundness.model import Settings
from lpharness.results.model import Verdict
from lpharness.results.text import one_line

BOUNDS = ("bound", "check", "held", "used, median", "used, most", "there", "in the trial")


def bound_rows(account: Account) -> list[tuple[str, ...]]:
    """Return a row for each bound, the tightest first, under the columns `BOUNDS`."""
    return [_bound_row(bound) for bound in account.bounds]


def _bound_row(bound: Bound) -> tuple[str, ...]:
    return (
        bound.name,
        bound.check,
        str(bound.measured),
        f"{bound.typical:.1%}",
        f"{bound.most:.1%}",
        bound.tightest.words,
        bound.trial,
    )


def verdicts_of(counts: Mapping[str, int]) -> str:
    """Return counts by verdict in words, the passes first: ``40 pass, 1 error``."""
    return ", ".join(f"{counts[v.value]} {v.value}" for v in Verdict if counts.get(v.value))


def markdown(account: Account, settings: Settings, command: str) -> str:
    """Return the page: counts, the margin of each bound, and each trial that did not pass."""
    return "\n".join(_lines(account, settings, command)) + "\n"


def _lines(account: Account, settings: Settings, command: str) -> Iterator[str]:
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    hogs = f"{settings.hogs} hog{'' if settings.hogs == 1 else 's'}"
    yield "# Clean trials, and how near they came to each bound"
    yield ""
    yield (
        f"Measured {today} by `{command}`: {account.trials} of {settings.number} trials, "
        f"{verdicts_of(account.verdicts)}; {settings.jobs} at a time beside {hogs}. One took "
        f"{account.median_s:.1f} s (median), {account.slowest_s:.1f} s at most."
    )
    for title, groups in (
        ("kernel", account.kernels),
        ("workload", account.workloads),
        ("case", account.cases),
    ):
        yield ""
        yield f"| {title} | trials | verdicts |"
        yield "|---|--:|---|"
        for name, counts in groups.items():
            yield f"| {name} | {sum(counts.values())} | {verdicts_of(counts)} |"
    yield ""
    yield "Of each bound that a check holds, how much clean trials used up:"
    yield ""
    yield f"| {' | '.join(BOUNDS)} |"
    yield "|---|---|--:|--:|--:|---|---|"
    for row in bound_rows(account):
        yield f"| {' | '.join(row)} |"
    if account.others:
        yield ""
        yield "Those that did not pass:"
        yield ""
    for other in account.others:
        yield f"- {other.trial}: {other.verdict}, {one_line(other.reason)}"
