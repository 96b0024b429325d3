"""Outcomes as CSV: one row for each simulation, and one for each point of a transition curve."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from lpharness.simulation.sweep import Swept


def outcomes_csv(found: Sequence[Swept]) -> str:
    """Return a row for each simulation."""
    return _csv([_row(each) for each in found])


def curves_csv(found: Sequence[Swept]) -> str:
    """Return a row for each point of each curve."""
    return _csv(
        [
            {**_who(each), "seconds": at, "moved": share}
            for each in found
            for at, share in each.outcome.curve
        ]
    )


def _who(each: Swept) -> dict[str, object]:
    it = each.outcome
    return {"scenario": it.scenario, "swept": each.swept, "model": it.model, "seed": it.seed}


def _row(each: Swept) -> dict[str, object]:
    it, moved = each.outcome, each.outcome.moved["all"]
    return {
        **_who(each),
        "outcome": it.outcome,
        "completed_s": it.completed_s,
        "first_moved_s": moved.least,
        "median_moved_s": moved.median,
        "p99_moved_s": moved.p99,
        "last_moved_s": moved.most,
        "not_moved": it.not_moved,
        "tries": it.tries,
        "longest_stop_s": it.longest_stop_s,
        "syscalls_per_s_before": it.syscalls_per_s_before,
        "syscalls_per_s_during": it.syscalls_per_s_during,
        "events": it.events,
        **it.meetings,
    }


def _csv(rows: Sequence[dict[str, object]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
