"""The account of the corpus, by class: who caught what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from lpharness.bench.faults.model import Caught, Fault, Outcome
from lpharness.results.text import one_line

COLUMNS = ("class", "planted", *(caught.value for caught in Caught))


def rows(faults: Sequence[Fault], outcomes: Sequence[Outcome]) -> list[tuple[str, ...]]:
    """Return a row for each class, and one for all of them."""
    class_of = {fault.name: fault.class_ for fault in faults}
    counts = Counter((class_of[outcome.fault], outcome.caught) for outcome in outcomes)
    classes = sorted({class_of[outcome.fault] for outcome in outcomes})
    return [
        *(_row(name, [counts[name, caught] for caught in Caught]) for name in classes),
        _row("all", [sum(counts[name, caught] for name in classes) for caught in Caught]),
    ]


def _row(name: str, counts: Sequence[int]) -> tuple[str, ...]:
    return (name, str(sum(counts)), *(str(count) if count else "" for count in counts))


def markdown(
    faults: Sequence[Fault], outcomes: Sequence[Outcome], command: str, seconds: float, load: float
) -> str:
    """Return a page: how it was made, the table by class, and each fault.

    Args:
        faults: all that were planted.
        outcomes: what came of them.
        command: what renews the page.
        seconds: how long it all took.
        load: the host's load average at the end.
    """
    return "\n".join(_lines(faults, outcomes, command, seconds, load)) + "\n"


def _lines(
    faults: Sequence[Fault], outcomes: Sequence[Outcome], command: str, seconds: float, load: float
) -> Iterator[str]:
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    yield "# The planted faults, and who caught them"
    yield ""
    yield (
        f"Measured {today} by `{command}` in {seconds / 60:.0f} minutes, on a host with a load of "
        f"{load:.0f} at the end."
    )
    yield ""
    yield "| " + " | ".join(COLUMNS) + " |"
    yield "|---|" + "--:|" * (len(COLUMNS) - 1)
    for row in rows(faults, outcomes):
        yield "| " + " | ".join(row) + " |"
    yield ""
    yield "| fault | what is wrong | verdict | by | took | |"
    yield "|---|---|---|---|--:|---|"
    found = {outcome.fault: outcome for outcome in outcomes}
    for fault in faults:
        outcome = found.get(fault.name)
        if outcome is None:
            continue
        note = outcome.caught.value
        if outcome.caught is not Caught.CAUGHT:
            note += f": {one_line(outcome.reason)[:160].replace('|', '/')}"
        took = f"{outcome.seconds:.0f} s"
        cells = (fault.name, fault.title, fault.verdict, fault.check, took, note)
        yield f"| {' | '.join(cells)} |"
