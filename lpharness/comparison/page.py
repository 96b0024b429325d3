"""A comparison as one page that needs no network and runs no script."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.resources import files

from markupsafe import Markup
from msgspec import Struct

from lpharness.comparison.drawing import Picture
from lpharness.comparison.summary import Comparison
from lpharness.comparison.tables import Table
from lpharness.results.html import csp_hash, environment

_ORDER = (
    "Transition time",
    "Share of tasks",
    "When tasks moved",
    "How long CPUs",
    "How often CPUs",
    "Throughput",
    "What a call",
    "Attempts",
    "Where old",
    "Cost against",
    "Time ",
    "Simulated",
)
"""How titles begin, in the order in which a reader wants them."""
_ALL = "All together"


class Item(Struct, frozen=True, kw_only=True):
    """A table or a picture on the page."""

    title: str
    table: Table | None = None
    picture: Picture | None = None
    svg: Markup | None = None


def page(
    comparison: Comparison,
    tables: Sequence[Table],
    drawn: Sequence[Picture],
    apart: Sequence[str] = (),
) -> str:
    """Return the page of a comparison's tables and pictures.

    Args:
        comparison: what it is about.
        tables: their titles say what they are about, and after a colon of which trials.
        drawn: the pictures; the same of their titles.
        apart: why the simulated is not as the measured.
    """
    style = files("lpharness.comparison").joinpath("templates", "comparison.css").read_text()
    return (
        environment("lpharness.comparison")
        .get_template("comparison.html")
        .render(
            title="Consistency models side by side",
            cases=list(dict.fromkeys(row.case for row in comparison.rows)),
            kernels=list(dict.fromkeys(row.kernel for row in comparison.rows)),
            trials=len(comparison.trials),
            accelerators=sorted({t.accelerator for t in comparison.trials if t.accelerator}),
            broken=comparison.broken,
            reasons=[(row, reason) for row in comparison.rows for reason in row.reasons],
            chapters=_chapters(tables, drawn),
            apart=apart,
            written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            style=Markup(style),  # noqa: S704  # our own file
            style_hash=csp_hash(style),
        )
    )


def _chapters(tables: Sequence[Table], drawn: Sequence[Picture]) -> dict[str, list[Item]]:
    """Put together what is about the same trials, pictures behind the tables that they show."""
    found: dict[str, list[Item]] = {}
    for table in tables:
        about, of = _parts(table.title)
        found.setdefault(of, []).append(Item(title=about, table=table))
    for picture in drawn:
        about, of = _parts(picture.title)
        # Drawn by us of numbers and escaped names.
        svg = Markup(picture.svg)  # noqa: S704
        found.setdefault(of, []).append(Item(title=about, picture=picture, svg=svg))
    chapters = {of: sorted(items, key=_place) for of, items in found.items()}
    return dict(sorted(chapters.items(), key=lambda chapter: chapter[0] == _ALL))


def _parts(title: str) -> tuple[str, str]:
    about, _, of = title.partition(": ")
    return about, of or _ALL


def _place(item: Item) -> int:
    return next((n for n, begin in enumerate(_ORDER) if item.title.startswith(begin)), len(_ORDER))
