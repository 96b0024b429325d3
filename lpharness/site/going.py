"""A run as it goes: its folder, looked at again and again."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from lpharness.base.errors import InputError
from lpharness.results.folder import RunFolder, TrialFolder
from lpharness.results.model import Trial
from lpharness.results.text import one_line, seconds
from lpharness.store.entry import name_of

_PHASE = "interrupted in phase "
"""How the reason of a trial begins that goes on: what would be true if it were killed now."""


class Going(Struct, frozen=True, kw_only=True):
    """Where a trial of the run stands, for people."""

    name: str
    state: str
    """The verdict, or ``running``; ``interrupted`` if nobody goes on with it."""
    words: str
    """Why, or in which phase it is."""
    took: str = ""
    href: str = ""
    """Its page, once the store has it."""


class Watched:
    """A run's folder, of which only what changed is read again."""

    def __init__(self, path: Path) -> None:
        self._run = RunFolder.open(path)
        self.name = path.resolve().name
        self.key = self._run.mark().id
        self._trials: dict[str, tuple[int, Trial]] = {}

    def look(self) -> tuple[bool, list[tuple[str, Going]]]:
        """Say whether the run goes on, and where each trial stands, by its name in the store.

        A document that cannot be read just now keeps what it told before.
        """
        alive = self._run.going_on()
        for folder in self._run.folders():
            self._read(folder)
        trials = sorted(
            (trial for _, trial in self._trials.values()), key=lambda trial: trial.started_at
        )
        return alive, [(name_of(trial.id), _going(trial, alive=alive)) for trial in trials]

    def _read(self, folder: TrialFolder) -> None:
        try:
            changed = folder.document_path.stat().st_mtime_ns
            known = self._trials.get(folder.path.name)
            if known is None or known[0] != changed:
                self._trials[folder.path.name] = changed, folder.load()
        except (OSError, InputError):
            return


def _going(trial: Trial, *, alive: bool) -> Going:
    name = one_line(trial.id.slug, 200)
    if trial.finished:
        return Going(
            name=name,
            state=trial.verdict.value,
            words=one_line(trial.reason),
            took=seconds(trial.seconds),
        )
    phase = one_line(trial.reason.removeprefix(_PHASE), 60)
    return Going(name=name, state="running" if alive else "interrupted", words=phase)
