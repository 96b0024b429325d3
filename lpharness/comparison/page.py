"""A comparison as one page that needs no network and runs no script."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.resources import files

from markupsafe import Markup

from lpharness.comparison.drawing import Picture
from lpharness.comparison.summary import Comparison
from lpharness.comparison.tables import Table
from lpharness.results.html import csp_hash, environment


def page(comparison: Comparison, tables: list[Table], drawn: list[Picture]) -> str:
    """Return the page of a comparison's tables and pictures."""
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
            tables=tables,
            # Drawn by us of numbers and escaped names.
            pictures=[(one, Markup(one.svg)) for one in drawn],  # noqa: S704
            written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            style=Markup(style),  # noqa: S704  # our own file
            style_hash=csp_hash(style),
        )
    )
