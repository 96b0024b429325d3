"""Keeping the memory of a guest in which something went wrong, for `lpharness vmcore`."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from lpharness.base.deadline import Deadline
from lpharness.base.errors import LpharnessError
from lpharness.guests.contract import Condition, Guest
from lpharness.results.folder import TrialFolder
from lpharness.timeline.events import ConsoleFound, GuestEnded, Note
from lpharness.timeline.recorder import Recorder

_DUMP_S = 120.0


class MemoryKeeper:
    """Dumps a guest's memory once, and puts the files of its modules beside it."""

    def __init__(
        self, guest: Guest, folder: TrialFolder, recorder: Recorder, modules: Mapping[str, Path]
    ) -> None:
        """Make one; ``modules`` are those of our own that the guest has, by name."""
        self._guest = guest
        self._folder = folder
        self._recorder = recorder
        self._modules = modules
        self._tried = False

    def keep(self, why: str) -> None:
        """Dump the memory, unless it was dumped before: the first reason is the cause."""
        if self._tried:
            return
        self._tried = True
        try:
            self._guest.dump_memory(self._folder.vmcore_path, Deadline.after(_DUMP_S))
            self._put_modules()
            text = f"the guest's memory is kept in {self._folder.vmcore_path.name}: {why}"
        except (LpharnessError, OSError) as error:
            text = f"no memory dump: {error}"
        self._recorder.add(Note(host_ns=self._recorder.now(), text=text))

    def keep_after_death(self) -> None:
        """Dump the memory of a guest that failed the harness, if there still is any."""
        ended = self._recorder.last(GuestEnded)
        if ended is None or ended.condition != Condition.KILLED:
            self.keep(f"the guest {ended.condition}" if ended else "the guest lives")

    def keep_after_oops(self) -> None:
        """Dump the memory of a guest that lives on after its kernel's oops."""
        found = [event for event in list(self._recorder.events) if isinstance(event, ConsoleFound)]
        fatal = next((event for event in found if event.severity == "fatal"), None)
        if fatal is not None:
            self.keep(fatal.text)

    def _put_modules(self) -> None:
        self._folder.modules_path.mkdir(exist_ok=True)
        for name, file in self._modules.items():
            shutil.copyfile(file, self._folder.modules_path / f"{name}.ko")
