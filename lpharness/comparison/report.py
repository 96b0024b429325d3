"""All that a comparison has to show: its tables and pictures, and the simulated beside them."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from lpharness.comparison.crowd_pictures import crowd_pictures
from lpharness.comparison.crowds import Point, crowd_tables, measured_points
from lpharness.comparison.drawing import Picture
from lpharness.comparison.held.hold import Held
from lpharness.comparison.held.pictures import pictures as held_pictures
from lpharness.comparison.held.table import table as held_table
from lpharness.comparison.pictures import pictures
from lpharness.comparison.summary import Comparison
from lpharness.comparison.tables import Table, tables


class Report(Struct, frozen=True, kw_only=True):
    """A comparison, and what it was held against."""

    comparison: Comparison
    held: Held | None = None
    """``None`` where nothing was simulated."""

    def tables(self) -> list[Table]:
        """Return all tables."""
        held = [held_table(self.held)] if self.held and self.held.rows else []
        return [*tables(self.comparison), *crowd_tables(self.points()), *held]

    def pictures(self) -> list[Picture]:
        """Return all pictures."""
        held = held_pictures(self.held) if self.held else []
        return [*pictures(self.comparison), *crowd_pictures(self.points()), *held]

    def points(self) -> list[Point]:
        """Return cost against number of tasks, measured and simulated."""
        measured = measured_points(self.comparison.trials)
        simulated = self.held.crowds if self.held else ()
        keys = list(dict.fromkeys((p.case, p.kernel, p.model) for p in measured))
        return [
            point
            for key in keys
            for point in (*measured, *simulated)
            if (point.case, point.kernel, point.model) == key
        ]

    def reasons(self) -> list[str]:
        """Return why the simulated is not as the measured, where it is not."""
        rows = self.held.rows if self.held else ()
        return [
            f"{row.name.workload}, {row.name.model}: {'; '.join(row.reasons)}."
            for row in rows
            if row.reasons
        ]

    def document(self) -> dict[str, Any]:
        """Return all of it for a program: a comparison's own keys, and ``held`` and ``crowds``."""
        trials = tuple(
            # Of these samples there are thousands: they are in files of their own.
            msgspec.structs.replace(trial, stills=(), calls=())
            for trial in self.comparison.trials
        )
        comparison = msgspec.structs.replace(self.comparison, trials=trials)
        whole: dict[str, Any] = msgspec.to_builtins(comparison)
        return whole | {"held": msgspec.to_builtins(self.held), "crowds": self.points_plain()}

    def points_plain(self) -> list[dict[str, Any]]:
        """Return cost against number of tasks for a program."""
        return [msgspec.to_builtins(point) for point in self.points()]
