"""Carrying out what is planned, one after another, in this process."""

from __future__ import annotations

from collections.abc import Sequence

from lpharness.executor.inline import InlineExecutor
from lpharness.results.folder import RunFolder
from lpharness.results.model import Trial
from lpharness.run.conductor import Conductor
from lpharness.run.listener import Listener
from lpharness.run.prepare import Entry
from lpharness.run.request import Settings


def execute(
    entries: Sequence[Entry], settings: Settings, folder: RunFolder, listener: Listener
) -> list[Trial]:
    """Run the plans one after another and write each trial's document as it ends."""
    conductor = Conductor(settings, lambda: folder, listener)
    with InlineExecutor(conductor.told) as executor:
        conductor.carry_out(entries, executor)
    return [folder.trial(attempt.id).load() for attempt in conductor.attempts]
