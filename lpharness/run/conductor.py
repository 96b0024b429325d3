"""Conducts a run: cells are prepared, and their trials carried out as soon as they are ready.

What is fetched and built, and what is tried, are tasks of executors; whatever they are, this is the
one place that decides what comes next, and the one that writes into the run's folder beside them.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue

import msgspec
from msgspec import Struct

from lpharness.base.errors import HostError, LpharnessError
from lpharness.executor.contract import (
    Began,
    Broken,
    Ended,
    Event,
    Executor,
    How,
    Needs,
    News,
    Site,
    Task,
)
from lpharness.results.folder import RunFolder
from lpharness.results.model import Trial, TrialId, Verdict
from lpharness.run.attempts import Attempt, AttemptLog
from lpharness.run.carry import Carry, origin_of, write_refusal
from lpharness.run.cells import Cell
from lpharness.run.layout import Layout
from lpharness.run.listener import Listener
from lpharness.run.prepare import Entry, Prepared, Refused, prepare, refuse_bad_input, unprepared
from lpharness.run.request import Settings
from lpharness.run.told import ToldProgress
from lpharness.timeline.events import Phase
from lpharness.trial.plan import Plan

log = logging.getLogger("lpharness.run")

_BUILD = Needs(cpus=1, memory_mb=500)


class Prepare(Struct, frozen=True, kw_only=True):
    """The call of an executor that prepares a cell; its steps are the news."""

    cell: Cell
    settings: Settings

    @property
    def title(self) -> str:
        """What it is about, for people."""
        return f"{self.cell.case.name} for {self.cell.release}"

    def __call__(self, site: Site) -> Prepared:
        """Prepare it."""
        return prepare(self.cell, self.settings, ToldProgress(site))


class Conductor:
    """One run, from its first cell to its last verdict.

    `told` is for the executors; everything else belongs to the thread that calls `run`.
    """

    def __init__(
        self,
        settings: Settings,
        open_folder: Callable[[], RunFolder],
        listener: Listener,
        *,
        retries: int = 0,
    ) -> None:
        """Make one.

        Args:
            settings: how everything is tried; with a seed.
            open_folder: gives the run's folder, once there is something to write.
            listener: is told how it goes.
            retries: so often a trial that ended in an error is tried again.
        """
        self.attempts: list[Attempt] = []
        self._settings = settings
        self._open_folder = open_folder
        self._opened: RunFolder | None = None
        self._listener = listener
        self._speaking = threading.Lock()
        self._retries = retries
        self._events: SimpleQueue[Event] = SimpleQueue()
        self._open: dict[str, Prepare | Carry] = {}
        self._ranks: dict[str, tuple[int, ...]] = {}
        self._timeouts: dict[TrialId, float] = {}
        self._deadlines: dict[str, float] = {}
        self._held: list[Prepared] = []

    def told(self, event: Event) -> None:
        """Take what an executor tells, from any thread."""
        call = self._open.get(event.key)
        if isinstance(event, News):
            with self._speaking:
                if isinstance(call, Prepare):
                    self._listener.preparing(call.title, event.news)
                elif isinstance(call, Carry):
                    self._listener.phase(call.id, event.news)
            return
        self._events.put(event)

    def run(self, layout: Layout, preparing: Executor, trying: Executor) -> None:
        """Prepare the cells and carry out their trials, in their order as far as it goes.

        Raises:
            InputError: every cell is for somebody to mend first.
            HostError: nothing could be prepared, or the run's folder cannot be written.
        """
        self._trying = trying
        with self._speaking:
            self._listener.planned(layout.order)
        self._ranks = {name.slug: (place, 1) for place, name in enumerate(layout.order)}
        self._timeouts = {name: w.timeout_s for name, _, w in layout.wanted() if w.timeout_s}
        for place, cell in self._by_first_trial(layout.cells):
            self._submit(
                preparing,
                Prepare(cell=cell, settings=self._settings),
                Path(),
                key=f"prepare {place}",
                needs=_BUILD,
                rank=(place, 0),
            )
            self._handle_told()  # with an inline executor this one is through by now
        self._finish()
        if self._opened is None:  # everything was held back
            refuse_bad_input(self._held)
            self._release()
            self._finish()

    def carry_out(self, entries: Sequence[Entry], trying: Executor) -> None:
        """Carry out what is prepared already.

        Raises:
            HostError: the run's folder cannot be written.
        """
        self._trying = trying
        with self._speaking:
            self._listener.planned([entry.id for entry in entries])
        for place, entry in enumerate(entries):
            self._ranks[entry.id.slug] = (place, 1)
            self._begin(entry)
            self._handle_told()
        self._finish()

    def open(self) -> None:
        """Open the run's folder now: there is something in it already."""
        assert self._folder is not None

    @property
    def folder(self) -> RunFolder | None:
        """The run's folder, if there was anything to write."""
        return self._opened

    @property
    def _folder(self) -> RunFolder:
        if self._opened is None:
            self._opened = self._open_folder()
            self._log = AttemptLog(self._opened.path)
        return self._opened

    def _by_first_trial(self, cells: Sequence[Cell]) -> list[tuple[int, Cell]]:
        """Return cells in the order in which they are needed, each with its first trial's place."""
        places = [
            min(self._ranks[cell.id_of(w, self._settings.backend).slug] for w in cell.wanted)[0]
            for cell in cells
        ]
        return sorted(zip(places, cells, strict=True), key=lambda pair: pair[0])

    def _finish(self) -> None:
        """Go on until nothing is open any more."""
        while self._open:
            self._handle(self._next())

    def _handle_told(self) -> None:
        while not self._events.empty():
            self._handle(self._events.get())

    def _next(self) -> Event:
        """Wait for the next event; meanwhile give up what is beyond its time-out."""
        while True:
            soonest = min(self._deadlines.values(), default=None)
            wait = None if soonest is None else max(0.0, soonest - time.monotonic())
            try:
                return self._events.get(timeout=wait)
            except Empty:
                for key in [k for k, at in self._deadlines.items() if at <= time.monotonic()]:
                    del self._deadlines[key]
                    self._trying.cancel(key)

    def _handle(self, event: Event) -> None:
        call = self._open.get(event.key)
        if isinstance(event, Broken):
            raise event.error
        if isinstance(event, Began):
            if isinstance(call, Carry) and (timeout := self._timeout_of(call.id)):
                self._deadlines[event.key] = time.monotonic() + timeout
        elif isinstance(event, Ended):
            del self._open[event.key]
            self._deadlines.pop(event.key, None)
            if isinstance(call, Prepare):
                self._take_prepared(call, event)
            elif isinstance(call, Carry):
                self._take_tried(call, event)

    def _timeout_of(self, name: TrialId) -> float:
        return self._timeouts.get(msgspec.structs.replace(name, attempt=0), 0.0)

    # --- cells ---------------------------------------------------------------------------------

    def _take_prepared(self, call: Prepare, ended: Ended) -> None:
        """Begin a cell's trials; hold them back as long as nothing in the run makes sense."""
        with self._speaking:
            self._listener.preparing(call.title, None)
        if ended.how is How.RETURNED:
            prepared: Prepared = ended.result
        elif isinstance(ended.error, LpharnessError):
            prepared = unprepared(call.cell, self._settings, ended.error)
        else:
            raise ended.error or HostError(f"{call.title} was given up")
        self._held.append(prepared)
        if self._opened is not None or prepared.makes_sense:
            self._release()

    def _release(self) -> None:
        held, self._held = self._held, []
        for prepared in held:
            for entry in sorted(prepared.entries, key=lambda e: self._ranks[e.id.slug]):
                self._begin(entry)
                self._handle_told()  # with an inline executor this one is through by now

    # --- trials --------------------------------------------------------------------------------

    def _begin(self, entry: Entry) -> None:
        folder = self._folder.trial(entry.id)
        if isinstance(entry, Refused):
            self._take(Carry(entry=entry), write_refusal(entry, folder), "")
            return
        carry = Carry(entry=entry, uri=self._settings.uri)
        first = msgspec.structs.replace(entry.id, attempt=0)
        rank = self._ranks[first.slug]
        key = entry.id.slug
        self._submit(self._trying, carry, folder.path, key=key, needs=carry.needs, rank=rank)

    def _submit(
        self,
        executor: Executor,
        call: Prepare | Carry,
        folder: Path,
        *,
        key: str,
        needs: Needs,
        rank: tuple[int, ...],
    ) -> None:
        self._open[key] = call
        executor.submit(Task(key=key, call=call, folder=folder, needs=needs, rank=rank))

    def _take_tried(self, carry: Carry, ended: Ended) -> None:
        if ended.how is How.RETURNED:
            trial: Trial = ended.result
        else:
            trial = self._write_harness_error(carry, self._why(carry, ended))
        self._take(carry, trial, ended.where)

    def _why(self, carry: Carry, ended: Ended) -> str:
        """Say why a trial did not come to its end."""
        if ended.how is How.CANCELLED:
            return f"no end within its time-out of {self._timeout_of(carry.id):g} s"
        if ended.how is How.LOST or isinstance(ended.error, (LpharnessError, OSError)):
            return str(ended.error)  # the host's, such as a full disk
        log.error("the harness broke in %s", carry.id.slug, exc_info=ended.error)
        return f"the harness broke: {type(ended.error).__name__}: {ended.error}"

    def _write_harness_error(self, carry: Carry, why: str) -> Trial:
        """Write into a trial's document what its own harness could not."""
        folder = self._folder.trial(carry.id)
        if folder.document_path.is_file():
            trial = folder.load()
        else:
            trial = folder.begin(carry.id, Phase.BOOT, origin_of(carry.entry))
        trial.verdict = Verdict.ERROR
        trial.reason = f"harness: {why} ({trial.reason})"
        folder.write(trial)
        return trial

    def _take(self, carry: Carry, trial: Trial, where: str) -> None:
        """Write down what an attempt came to, and try again what nobody could say."""
        again = self._again(carry, trial)
        attempt = Attempt(
            id=trial.id,
            verdict=trial.verdict,
            reason=trial.reason,
            seconds=round(trial.seconds, 3),
            where=where,
            last=again is None,
        )
        self._log.add(attempt)
        self.attempts.append(attempt)
        with self._speaking:
            self._listener.finished(trial)
            if again is not None:
                self._listener.again(again.id)
        if again is not None:
            self._begin(again)

    def _again(self, carry: Carry, trial: Trial) -> Plan | None:
        """Return the plan of another attempt, in a guest that is booted for it alone."""
        plan = carry.entry
        if (
            trial.verdict is not Verdict.ERROR
            or not isinstance(plan, Plan)
            or plan.id.attempt >= self._retries
        ):
            return None
        name = msgspec.structs.replace(plan.id, attempt=plan.id.attempt + 1)
        return msgspec.structs.replace(plan, id=name, fresh=True)
