"""How many repeats the gate needs to find a slow-down, and how often it sees one that is not there.

Values are drawn, a slow-down is planted in some of them, and the gate's own comparison is asked. A
transition's time, a stop's and a throughput's are taken as lognormal about a line's own middle.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from lpharness.base.progress import SILENT, Progress
from lpharness.gate.measured import Series, compare, series_of
from lpharness.gate.policy import Held, Policy
from lpharness.store.measures import HIGHER_IS_BETTER
from lpharness.store.trials import Line

Planted = Literal["one line", "all lines", "nothing"]


class Settings(Struct, frozen=True, kw_only=True):
    """What is drawn, and how often."""

    slower: tuple[float, ...] = (0.1, 0.2, 0.5)
    """Planted slow-downs."""
    repeats: tuple[int, ...] = (3, 5, 7, 10, 15, 20)
    """Trials of each line, on each side."""
    spreads: tuple[float, ...] = (0.05, 0.15)
    """How far values of one line lie apart: their standard deviation, as a share."""
    lines: int = 10
    draws: int = 200
    seed: int = 1


class Row(Struct, frozen=True, kw_only=True):
    """How the gate fared in one setting."""

    planted: Planted
    slower: float
    spread: float
    repeats: int
    called: int
    """In how many of the draws it found what was planted; of nothing, in how many it called any."""
    draws: int

    @property
    def share(self) -> float:
        """The share of the draws: the power, or the false-alarm rate."""
        return self.called / self.draws


def measure(settings: Settings, progress: Progress = SILENT) -> list[Row]:
    """Draw and compare in every setting."""
    policy = Policy()
    rows: list[Row] = []
    for spread in settings.spreads:
        for repeats in settings.repeats:
            with progress.step(f"{repeats} repeats, values {spread:.0%} apart"):
                rows += _rows(settings, policy, spread, repeats)
    return rows


def _rows(settings: Settings, policy: Policy, spread: float, repeats: int) -> Iterator[Row]:
    plants: list[tuple[Planted, float]] = [
        ("nothing", 0.0),
        *(("one line", slower) for slower in settings.slower),
        *(("all lines", slower) for slower in settings.slower),
    ]
    for planted, slower in plants:
        dice = random.Random(f"{settings.seed} {planted} {slower} {spread} {repeats}")  # noqa: S311
        draws = settings.draws * (4 if planted == "nothing" else 1)  # a small share, known well
        called = 0
        for _ in range(draws):
            table = _drawn(settings, policy, planted, slower, spread, repeats, dice)
            called += _found(policy, table, planted)
        yield Row(
            planted=planted, slower=slower, spread=spread, repeats=repeats, called=called,
            draws=draws,
        )  # fmt: skip


def _drawn(
    settings: Settings,
    policy: Policy,
    planted: str,
    slower: float,
    spread: float,
    repeats: int,
    dice: random.Random,
) -> list[tuple[Held, list[Series]]]:
    """Draw a baseline and a candidate; the slow-down is in the policy's first measure."""
    table = []
    for place, held in enumerate(policy.measure):
        series = []
        for number in range(settings.lines):
            hit = place == 0 and (planted == "all lines" or (planted == "one line" and not number))
            factor = 1 + slower if hit else 1.0
            if held.name in HIGHER_IS_BETTER:
                factor = 1 / factor
            before = [dice.lognormvariate(0, spread) for _ in range(repeats)]
            now = [factor * dice.lognormvariate(0, spread) for _ in range(repeats)]
            series.append(series_of(held, _line(number), {"": before}, {"": now}))
        table.append((held, series))
    return table


def _found(policy: Policy, table: list[tuple[Held, list[Series]]], planted: str) -> bool:
    called = [(held, one) for held, one in compare(policy, table) if one.verdict == "slower"]
    if planted == "nothing":
        return bool(called)
    first = policy.measure[0]
    wanted = _line(0) if planted == "one line" else None
    return any(
        held is first and (one.line == wanted or planted == "all lines") for held, one in called
    )


def _line(number: int) -> Line:
    return Line(
        case=f"made-up-{number + 1}", variant="", target="made-up", workload="idle", model="hybrid",
        backend="qemu",
    )  # fmt: skip


def markdown(rows: list[Row], settings: Settings, command: str) -> str:
    """Return the table that ``docs/gate-table.md`` has."""
    policy = Policy()
    asked = len(policy.measure) * (settings.lines + 1)
    what = (
        f"{settings.lines} lines, {len(policy.measure)} measures, {asked} comparisons at once, "
        f"alpha {policy.statistics.alpha:.0%}; changes below {policy.measure[0].worse:.0%} do not "
        f"matter. {settings.draws} draws a figure, {4 * settings.draws} for false alarms."
    )
    lines = [
        "# What the gate finds",
        "",
        what,
        f"Written by `{command}`; see [gate.md](gate.md).",
        "",
        "*Planted in one line* of one measure, and in *all lines* of one measure: the share of",
        "draws in which the gate called just that. *False alarms*: the share of draws without any",
        "slow-down in which it called anything at all.",
    ]
    for spread in settings.spreads:
        lines += ["", f"## Values {spread:.0%} apart (standard deviation)", ""]
        lines += _table([row for row in rows if row.spread == spread], settings)
    return "\n".join(lines) + "\n"


def _table(rows: list[Row], settings: Settings) -> Iterator[str]:
    places: tuple[Planted, ...] = ("one line", "all lines")
    plants = [(where, slower) for where in places for slower in settings.slower]
    heads = [f"{slower:.0%} in {where}" for where, slower in plants]
    yield f"| repeats | {' | '.join(heads)} | false alarms |"
    yield "|---" * (len(heads) + 2) + "|"
    for repeats in settings.repeats:
        found = {(row.planted, row.slower): row.share for row in rows if row.repeats == repeats}
        shares = [f"{found[plant]:.0%}" for plant in plants]
        yield f"| {repeats} | {' | '.join(shares)} | {found['nothing', 0.0]:.1%} |"
