"""The trials that can be held against a simulation: measured, with their recordings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from lpharness.checks.contract import Recording
from lpharness.checks.replay import CONTEXT, load_recording
from lpharness.comparison.measure import measure
from lpharness.comparison.measured import Crossing, Measured
from lpharness.comparison.promises import ORDER
from lpharness.comparison.read import last_attempts
from lpharness.results.folder import RunFolder
from lpharness.results.model import Verdict

Told = Callable[[int, int], None]
"""Is told how many of how many were done."""


class Name(NamedTuple):
    """What a row of the table is about."""

    case: str
    kernel: str
    workload: str
    model: str


class Trial(Struct, frozen=True):
    """A trial, and where it lies."""

    name: Name
    folder: Path
    measured: Measured
    recording: Recording

    def crossing(self, direction: str) -> Crossing | None:
        """Return one of its transitions, if it began."""
        for crossing in self.measured.crossings:
            if crossing.direction == direction and crossing.outcome != "never began":
                return crossing
        return None


def read_trials(folders: Sequence[Path], told: Told = lambda *_: None) -> list[Trial]:
    """Read the trials of several runs that can be held against something, row by row.

    Trials that nobody could judge are left out, and those of variants, which would need names.

    Raises:
        InputError: a folder is no run.
    """
    found = [folder for path in folders for folder in last_attempts(RunFolder.open(path))]
    trials = []
    for number, folder in enumerate(found, 1):
        heading = folder.heading()
        fit_for_use = heading.verdict not in (Verdict.ERROR, Verdict.SKIP)
        if fit_for_use and (folder.path / CONTEXT).is_file():
            recording = load_recording(folder.path)
            measured = measure(recording, heading.verdict, "")
            name = Name(measured.case, measured.kernel, measured.workload, measured.model)
            trial = Trial(name, folder.path, measured, recording)
            if trial.crossing("patching") is not None and measured.model in ORDER:
                trials.append(trial)
        told(number, len(found))
    return sorted(trials, key=_place)


def _place(trial: Trial) -> tuple[str, str, str, int, int]:
    name = trial.name
    rank = ORDER.index(name.model)
    return name.case, name.kernel, name.workload, rank, trial.measured.repeat
