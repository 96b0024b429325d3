"""The trials of a run's folder, measured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from lpharness.base.errors import InputError
from lpharness.checks.replay import CONTEXT, load_recording
from lpharness.comparison.measure import measure
from lpharness.comparison.measured import Measured
from lpharness.comparison.promises import ORDER
from lpharness.results.folder import RunFolder, TrialFolder
from lpharness.results.model import TrialId

Told = Callable[[int, int], None]
"""Is told how many of how many recordings were read."""


def read_run(path: Path, told: Told = lambda *_: None) -> list[Measured]:
    """Measure each trial of a run: its last attempt, if it was tried again.

    Raises:
        InputError: it is no run's folder, has no trial, or a file in it is broken.
    """
    folders = last_attempts(RunFolder.open(path))
    if not folders:
        raise InputError(f"{path} has no trials", hint="`lpharness models compare` makes some")
    measured = []
    for folder in folders:
        measured.append(measured_of(folder))
        told(len(measured), len(folders))
    return sorted(measured, key=_place)


def last_attempts(run: RunFolder) -> list[TrialFolder]:
    """Return the folder of each trial, of the last attempt if it was tried again."""
    last: dict[TrialId, tuple[int, TrialFolder]] = {}
    for folder, heading in run.headings():
        name = msgspec.structs.replace(heading.id, attempt=0)
        if name not in last or last[name][0] < heading.id.attempt:
            last[name] = (heading.id.attempt, folder)
    return [folder for _, folder in last.values()]


def measured_of(folder: TrialFolder) -> Measured:
    """Measure a trial."""
    trial = folder.load()
    if (folder.path / CONTEXT).is_file():
        return measure(load_recording(folder.path), trial.verdict, trial.reason)
    return Measured(  # it was refused before it began
        case=trial.id.case,
        kernel=trial.id.kernel,
        workload=trial.id.workload,
        model=trial.id.model,
        repeat=trial.id.repeat,
        verdict=trial.verdict,
        reason=trial.reason,
    )


def _place(one: Measured) -> tuple[str, str, str, int, str, int]:
    rank = ORDER.index(one.model) if one.model in ORDER else len(ORDER)
    return one.case, one.kernel, one.workload, rank, one.model, one.repeat
