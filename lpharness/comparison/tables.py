"""A comparison as tables of text: for the terminal, Markdown and HTML alike."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from lpharness.comparison.cost import Middle
from lpharness.comparison.measured import KINDS
from lpharness.comparison.promises import about
from lpharness.comparison.spreads import spread_of
from lpharness.comparison.standing import EDGES_S, Standing
from lpharness.comparison.summary import Comparison, Crossed, Mixed, Row, Spread
from lpharness.results import text

_MOST_BLOCKERS = 3
_NONE = "–"  # noqa: RUF001


class Table(Struct, frozen=True, kw_only=True):
    """One table."""

    title: str
    columns: tuple[str, ...]
    """The first `named` of them are names, the others values."""
    named: int
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    alarms: tuple[int, ...] = ()
    """Rows that somebody must look at."""


def tables(comparison: Comparison) -> list[Table]:
    """Return all tables, for each case, kernel and workload in turn."""
    groups = itertools.groupby(
        comparison.rows, key=lambda row: (row.case, row.kernel, row.workload)
    )
    made = (table for key, rows in groups for table in _of_one(" · ".join(key), list(rows)))
    return [_harmless(table) for table in made]


def _harmless(table: Table) -> Table:
    """Names of cases, kernels and tasks may hold anything."""
    return replace(
        table,
        title=text.one_line(table.title),
        columns=tuple(map(text.one_line, table.columns)),
        rows=tuple(tuple(map(text.one_line, row)) for row in table.rows),
    )


def _of_one(where: str, rows: Sequence[Row]) -> Iterator[Table]:
    for make in (_times, _kinds, _stops, _standing, _throughput, _costs, _attempts, _mixing):
        table = make(where, rows)
        if table.rows:
            yield table


def _times(where: str, rows: Sequence[Row]) -> Table:
    def row(one: Row, crossed: Crossed) -> tuple[str, ...]:
        outcomes = [
            f"{count} {name}"
            for count, name in (
                (crossed.completed, "completed"),
                (crossed.gave_up, "gave up"),
                (crossed.not_over, "not over"),
                (one.errors, "error"),
            )
            if count
        ]
        times = (crossed.first, crossed.last, crossed.seconds)
        return one.model, crossed.direction, ", ".join(outcomes), *map(spread_of, times)

    return Table(
        title=f"Transition time: {where}",
        columns=("model", "direction", "outcomes", "first task", "last task", "completed"),
        named=3,
        rows=tuple(row(one, crossed) for one, crossed in _each(rows)),
        note="Since the transition began, by the guest's clock: median (least to most) of the "
        "repeats that completed.",
    )


def _kinds(where: str, rows: Sequence[Row]) -> Table:
    def cell(found: Spread | None) -> str:
        return f"{found.count}: {spread_of(found)}" if found else _NONE

    return Table(
        title=f"When tasks moved, by kind: {where}",
        columns=("model", "direction", *KINDS),
        named=2,
        rows=tuple(
            (one.model, crossed.direction, *(cell(crossed.kinds.get(kind)) for kind in KINDS))
            for one, crossed in _each(rows)
            if crossed.kinds
        ),
        note="Number of moves: median (least to most). Models that switch everything at once are "
        "left out.",
    )


def _stops(where: str, rows: Sequence[Row]) -> Table:
    return Table(
        title=f"How long CPUs did nothing: {where}",
        columns=(
            "model",
            "direction",
            "longest gap of a CPU",
            "noise before",
            "with the host's share",
            "noise before, so",
            "stops",
            "machine stopped",
            "call of stop_machine",
            "a CPU stood still meanwhile",
        ),
        named=2,
        rows=tuple(
            (
                one.model,
                crossed.direction,
                spread_of(crossed.own),
                spread_of(one.baseline_own),
                spread_of(crossed.whole),
                spread_of(one.baseline_whole),
                str(crossed.stops.count) if crossed.stops else "none",
                spread_of(crossed.stops),
                spread_of(crossed.calls),
                spread_of(crossed.felt),
            )
            for one, crossed in _each(rows)
        ),
        note="Gaps by a heartbeat on each CPU (in the kernel, where the trial had those), the "
        "host's share taken off, from the load (or the write to `enabled`) to the end of the "
        "transition; of transitions that completed. The stops are the model's own account, one "
        "value each; the last column is what the heartbeats in the kernel saw of them.",
    )


def _standing(where: str, rows: Sequence[Row]) -> Table:
    """Return how often CPUs stood still for how long, beside the noise."""
    found = [(one, crossed, crossed.standing) for one, crossed in _each(rows) if crossed.standing]
    told = [
        at for at, _ in enumerate(EDGES_S) if any(now.over[at] is not None for *_, now in found)
    ]

    def beside(now: Standing, before: Standing | None) -> Iterator[str]:
        yield f"{_percent(now.share)} ({_percent(before.share if before else None)})"
        yield f"{text.seconds(now.deaf_s)} ({text.seconds(before.deaf_s if before else None)})"
        for at in told:
            rate, usual = now.over[at], before.over[at] if before else None
            yield _NONE if rate is None else f"{_often(rate)} ({_often(usual)})"

    return Table(
        title=f"How often CPUs did nothing, by heartbeats in the kernel: {where}",
        columns=(
            "model",
            "direction",
            "of the time",
            "longest without interrupts",
            *(f"over {text.seconds(EDGES_S[at])}" for at in told),
        ),
        named=2,
        rows=tuple(
            (one.model, crossed.direction, *beside(now, one.noise)) for one, crossed, now in found
        ),
        note=f"{_beating(rows)} In brackets the noise: the same before anything was changed. "
        "Stretches of so much a second of each CPU, whoever made them.",
    )


def _beating(rows: Sequence[Row]) -> str:
    """Tell how fine the heartbeats were: not alike everywhere, if a run was made in parts."""
    known = [s for row in rows for s in (row.noise, *(c.standing for c in row.crossed)) if s]
    periods = sorted({period for standing in known for period in standing.periods_s})
    each = " or ".join(text.seconds(period) for period in periods)
    lost = sum(standing.lost for standing in known)
    more = f" {lost} were not read in time." if lost else ""
    return f"A beat each {each} on each CPU; shorter stretches are not seen.{more}"


def _percent(share: float | None) -> str:
    return _NONE if share is None else f"{100 * share:.2g} %"


def _often(rate: float | None) -> str:
    return _NONE if rate is None else f"{rate:.2g}/s"


def _throughput(where: str, rows: Sequence[Row]) -> Table:
    def change(now: Spread | None, before: Spread | None) -> str:
        if now is None or before is None or not before.median:
            return text.rate(now.median if now else None)
        return f"{text.rate(now.median)} ({100 * now.median / before.median:.0f} %)"

    return Table(
        title=f"Throughput of the workload: {where}",
        columns=("model", "before", "while it changed", "patched", "after"),
        named=1,
        rows=tuple(
            (
                row.model,
                text.rate(row.before.median if row.before else None),
                *(change(one, row.before) for one in (row.during, row.patched, row.after)),
            )
            for row in rows
            if row.before
        ),
        note="Operations a second, median of the repeats, and their share of what was done before.",
    )


def _costs(where: str, rows: Sequence[Row]) -> Table:
    def cell(found: Middle) -> str:
        return f"{_ns(found.median)} ns ({_ns(found.low)} to {_ns(found.high)})"

    return Table(
        title=f"What a call costs: {where}",
        columns=(
            "model",
            "when",
            "bursts",
            "a call of the patched function",
            "of one that is never patched",
            "more",
            "times as long",
        ),
        named=2,
        rows=tuple(
            (
                row.model,
                cost.stage,
                str(cost.bursts),
                cell(cost.call),
                cell(cost.twin),
                f"{_ns(cost.more)} ns",
                _NONE if cost.ratio is None else f"{cost.ratio:.1f}",
            )
            for row in rows
            for cost in row.costs
        ),
        note="Of an empty function, called many times in a row, again and again: the "
        "median of these bursts (the middle half). Under emulation the nanoseconds are the "
        "emulator's; what one model costs beside another still holds.",
    )


def _ns(value: float) -> str:
    """Return nanoseconds with a tenth, where that is not lost beside the rest."""
    return f"{value:.0f}" if abs(value) >= 99.95 else f"{round(value, 1) + 0.0:.1f}"


def _attempts(where: str, rows: Sequence[Row]) -> Table:
    def blockers(crossed: Crossed) -> str:
        told = [
            f"{who.comm}{' (kthread)' if who.kthread else ''} in {who.function} ×{who.looks}"  # noqa: RUF001
            for who in crossed.blocked[:_MOST_BLOCKERS]
        ]
        more = len(crossed.blocked) - len(told)
        return text.one_line(", ".join(told)) + (f", {more} more" if more else "")

    return Table(
        title=f"Attempts, and who was in the way: {where}",
        columns=("model", "direction", "looks", "failed", "gave up", "in the way (times seen)"),
        named=2,
        rows=tuple(
            (
                one.model,
                crossed.direction,
                str(crossed.looks or _NONE),
                str(crossed.failed) if crossed.looks else _NONE,
                str(crossed.gave_up),
                blockers(crossed) or "nobody seen",
            )
            for one, crossed in _each(rows)
        ),
        note="The kernel's own model does not tell of its looks; who is in its way is sampled.",
    )


def _mixing(where: str, rows: Sequence[Row]) -> Table:
    """Return a row a place and meeting, with a column a model."""
    counted = {(row.model, m.place, m.meeting): m for row in rows for m in row.mixed}
    keys = list(dict.fromkeys((m.place, m.meeting) for row in rows for m in row.mixed))
    names = [row.model for row in rows if row.mixed]
    what = {"ahead": "new to old", "behind": "old to new"}
    lines: list[tuple[str, ...]] = []
    alarms: list[int] = []
    for place, meeting in keys:
        found = [counted.get((name, place, meeting)) for name in names]
        if any(mixed is not None and mixed.broken for mixed in found):
            alarms.append(len(lines))
        lines.append((f"{place}: {about(place)}", what[meeting], *map(_mixed, found)))
    return Table(
        title=f"Where old and new code met: {where}",
        columns=("where", "token", *names),
        named=2,
        rows=tuple(lines),
        note="`new to old`: a token of the code that comes in reached code that goes out, which "
        "cannot understand it; `old to new` the other way round. Both directions and all repeats "
        "that completed, of so many tokens. `promised`: the model promises that there is none.",
        alarms=tuple(alarms),
    )


def _mixed(mixed: Mixed | None) -> str:
    if mixed is None:
        return _NONE
    count = f"{mixed.counted:,} of {mixed.tokens:,}"
    if mixed.broken:
        return f"{count}, PROMISED NONE"
    return f"{count}, promised" if mixed.promised else count


def _each(rows: Sequence[Row]) -> Iterator[tuple[Row, Crossed]]:
    for row in rows:
        for crossed in row.crossed:
            yield row, crossed


def markdown(table: Table) -> str:
    """Return a table as Markdown."""

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    rule = "|" + "---|" * len(table.columns)
    parts = [f"### {table.title}", "", line(table.columns), rule, *map(line, table.rows), ""]
    return "\n".join([*parts, *([table.note, ""] if table.note else [])])
