"""What a run knows of those before it: from a store, where there is one, and from their folders."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lpharness.base.environment import store_asked_for
from lpharness.base.errors import InputError
from lpharness.results.flaky import any_time
from lpharness.results.model import TrialId
from lpharness.run.history import History, Past, runs_beside
from lpharness.run.layout import Layout

if TYPE_CHECKING:
    from lpharness.store.expect import Expectation
    from lpharness.store.trials import Line


def history_for(layout: Layout, output: Path | None, store: str | None = None) -> History:
    """Return what is known of a layout's trials.

    Args:
        layout: whose trials are asked for.
        output: the run's folder: those beside it are looked at.
        store: of results; that of ``LPHARNESS_STORE`` if ``None``, and none without that.

    Raises:
        HostError: the store cannot be read.
    """
    beside = runs_beside(output)
    name = store_asked_for(store)
    if name is None:
        return beside
    from lpharness.store import open_store  # its libraries take half a second
    from lpharness.store.expect import expectations

    try:
        with open_store(name) as opened:
            return Remembered(expectations(opened), _lines(layout), beside)
    except InputError:  # there is none yet; whoever is to write to it says what else is wrong
        return beside


class Remembered:
    """The history that a store remembers, and another for what it does not."""

    def __init__(
        self,
        expected: Mapping[Line, Expectation],
        lines: Mapping[TrialId, Line],
        otherwise: History,
    ) -> None:
        self._expected, self._lines, self._otherwise = expected, lines, otherwise

    def past(self, trial: TrialId) -> Past | None:
        """Return what is known of a trial."""
        line = self._lines.get(any_time(trial))
        found = self._expected.get(line) if line else None
        if found is None:
            return self._otherwise.past(trial)
        return Past(verdict=found.verdict, seconds=found.seconds)


def _lines(layout: Layout) -> dict[TrialId, Line]:
    """Return by their names the lines that trials belong to: kernels are meant as asked for."""
    from lpharness.store.trials import Line

    return {
        any_time(name): Line(
            case=name.case,
            variant=name.variant,
            target=cell.kernel,
            workload=name.workload,
            model=name.model,
            backend=name.backend,
        )
        for name, cell, _ in layout.wanted()
    }
