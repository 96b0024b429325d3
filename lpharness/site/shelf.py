"""What the server serves: the newest book of the store, read while others read the old one."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from lpharness.base.errors import LpharnessError
from lpharness.cases import Case
from lpharness.site import addresses
from lpharness.site.book import Book, read_book
from lpharness.site.going import Going, Watched
from lpharness.site.pages import Assets, Render, assets, pages, render
from lpharness.site.trial_page import trial_html
from lpharness.store import Store
from lpharness.store.runs import state_of
from lpharness.store.trials import Found, several

_EVERY_S = 1.0


class Told(Struct, frozen=True, kw_only=True):
    """What those who watch are told."""

    version: int
    """Grows with each change."""
    trials: int
    """That the store has, attempts and all."""
    runs: int
    trouble: str = ""
    """Why the store could not be read, if so."""
    run: str = ""
    """The name of the run that is watched."""
    alive: bool = False
    going: tuple[Going, ...] = ()


class _Edition(Struct, frozen=True):
    """One book with the pages that are made of it."""

    state: str
    book: Book
    pages: Mapping[str, Render]
    trials: Mapping[str, Found]
    """By the paths of their pages."""


class Shelf:
    """Holds the newest edition; a context manager whose thread looks for newer ones."""

    def __init__(
        self, store: Store, watched: Watched | None = None, cases: Sequence[Case] = ()
    ) -> None:
        self._store = store
        self._cases = cases
        self._watched = watched
        self._about = Assets(live=True, written=datetime.now(UTC))
        self._assets = assets()
        self._edition = self._read()
        self.told = self._look(0, "")
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="lpharness-shelf")

    @property
    def closing(self) -> bool:
        """Whether those who wait for news should go."""
        return self._closing.is_set()

    def asset(self, path: str) -> str | None:
        """Return a style or a script; ``None`` for an unknown path."""
        return self._assets.get(path)

    def page(self, path: str) -> str | None:
        """Render a page of the newest edition; ``None`` for an unknown path.

        Raises:
            HostError: the store cannot be read.
        """
        edition = self._edition
        if path == addresses.LIVE:
            return render("live.html", path, self._about, told=self.told)
        if path in edition.pages:
            return edition.pages[path]()
        trial = edition.trials.get(path)
        detail = several(self._store, (trial.id,)).get(trial.id) if trial else None
        # Renewed this very moment, it has another id, and the next edition has it.
        return trial_html(edition.book, detail, self._about) if detail else None

    def close(self) -> None:
        """Send away who waits; idempotent."""
        self._closing.set()

    def __enter__(self) -> Shelf:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
        self._thread.join()

    def _watch(self) -> None:
        while not self._closing.wait(_EVERY_S):
            trouble = ""
            try:
                if state_of(self._store) != self._edition.state:
                    self._edition = self._read()
            except LpharnessError as error:
                trouble = error.message
            now = self._look(self.told.version, trouble)
            if now != self.told:
                self.told = replace(now, version=now.version + 1)

    def _read(self) -> _Edition:
        state = state_of(self._store)  # before what is read: a change meanwhile is seen next time
        book = read_book(self._store, self._cases)
        trials = {addresses.trial_page(trial): trial for trial in book.trials.values()}
        return _Edition(state, book, pages(book, self._about), trials)

    def _look(self, version: int, trouble: str) -> Told:
        edition = self._edition
        alive, going = self._watched.look() if self._watched else (False, [])
        key = self._watched.key if self._watched else ""
        known = {
            trial.slug: path
            for path, trial in edition.trials.items()
            if key and trial.run == key and trial.latest
        }
        return Told(
            version=version,
            trials=len(edition.trials),
            runs=len(edition.book.runs),
            trouble=trouble,
            run=self._watched.name if self._watched else "",
            alive=alive,
            going=tuple(replace(one, href=known.get(slug, "")) for slug, one in going),
        )
