"""Tables of a comparison on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table as Drawn

    from lpharness.comparison.tables import Table


def drawn(table: Table) -> Drawn:
    """Return a table as rich draws it; rows that somebody must look at are red."""
    from rich.table import Table as Drawn
    from rich.text import Text

    drawing = Drawn(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    for number, column in enumerate(table.columns):
        drawing.add_column(column, justify="left" if number < table.named else "right")
    for number, row in enumerate(table.rows):
        style = "red" if number in table.alarms else ""
        drawing.add_row(*(Text(cell, style=style) for cell in row))
    return drawing
