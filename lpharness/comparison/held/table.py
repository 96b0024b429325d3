"""The table, for the terminal and for ``docs/``."""

from __future__ import annotations

from collections.abc import Sequence

from lpharness.comparison.held.hold import Held
from lpharness.comparison.held.rows import WITHIN, Row, Side
from lpharness.comparison.spreads import spread_of
from lpharness.comparison.summary import spread
from lpharness.comparison.tables import Table, markdown

_NONE = "–"  # noqa: RUF001


def table(held: Held) -> Table:
    """Return one row for each model on each kernel under each workload."""
    return Table(
        title="Simulated against measured",
        columns=(
            "case", "kernel", "workload", "model", "measured", "failed", "simulated", "failed",
            "difference", f"within {WITHIN:.0%}",
        ),
        named=4,
        rows=tuple(_row(row) for row in held.rows),
        note="Guest seconds from the begin of patching to its completion: median (least to most). "
        "Failed: given up, or not over when the watch ended. Within: the medians, as a share of "
        "the measured one, and the shares that failed, as a share of all.",
        alarms=tuple(number for number, row in enumerate(held.rows) if not row.agrees),
    )  # fmt: skip


def _row(row: Row) -> tuple[str, ...]:
    apart = _NONE if row.apart is None else f"{row.apart:+.0%}"
    return (
        *row.name, spread_of(spread(row.measured.seconds)), _failed(row.measured),
        spread_of(spread(row.simulated.seconds)),
        _failed(row.simulated), apart, "yes" if row.agrees else _missed(row),
    )  # fmt: skip


def _missed(row: Row) -> str:
    missed = [("time", row.time_agrees), ("failures", row.failures_agree)]
    return "no: " + ", ".join(what for what, agrees in missed if not agrees)


def _failed(side: Side) -> str:
    return f"{side.failed} of {side.count}"


def summary(held: Held) -> str:
    """Return in one line how many rows agree."""
    agree = sum(row.agrees for row in held.rows)
    times = sum(row.time_agrees for row in held.rows)
    failures = sum(row.failures_agree for row in held.rows)
    return (
        f"{agree} of {len(held.rows)} rows agree within {WITHIN:.0%}: {times} in the median "
        f"time, {failures} in the share that failed"
    )


def page(held: Held, made: str, date: str) -> str:
    """Return the page for ``docs/``.

    Args:
        held: what was found.
        made: the command that makes it again.
        date: of the making.
    """
    accelerators = " and ".join(held.accelerators) or "unknown"
    trials = sum(row.measured.count for row in held.rows)
    how = (
        f"Made {date} by `{made}`, from {trials} trials (accelerator: {accelerators}), "
        f"{held.simulations} simulations of each; [held.md](held.md) says how. {summary(held)}."
    )
    parts = ["# Simulated against measured", how, markdown(table(held)).rstrip()]
    parts += ["## Why not", "\n".join(_why(held.rows))]
    parts += ["## Where the costs are from", "\n".join(_costs(held.rows)), ""]
    return "\n\n".join(parts).rstrip() + "\n"


def _why(rows: Sequence[Row]) -> list[str]:
    return [
        f"- **{row.name.workload}, {row.name.model}**: {'; '.join(row.reasons)}."
        for row in rows
        if row.reasons
    ] or ["Every row agrees."]


def _costs(rows: Sequence[Row]) -> list[str]:
    return ["| workload | model | cost | median | from |", "|---|---|---|--:|---|"] + [
        f"| {row.name.workload} | {row.name.model} | {cost.what} | {cost.shown} | {cost.source} |"
        for row in rows
        for cost in row.costs
    ]
