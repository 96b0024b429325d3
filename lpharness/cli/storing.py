"""A run whose trials go into a store as they come."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from lpharness.base.environment import store_asked_for
from lpharness.base.errors import LpharnessError

if TYPE_CHECKING:
    from lpharness.results.folder import RunFolder
    from lpharness.results.model import Trial
    from lpharness.store import Store


StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="PATH|URL",
        help="Put each trial into this store as it comes (docs/store.md); `default` for your own. "
        "Default: LPHARNESS_STORE if it is set, else none.",
    ),
]


class Storing:
    """Adds trials to a store, if there is one; what goes wrong with it does not end the run.

    The run's folder has everything, so nothing is lost: `complete` says how to make good.
    """

    def __init__(self, store: Store | None) -> None:
        self.folder: RunFolder | None = None
        """Of the run; set as soon as there is one."""
        self._store = store
        self._trouble: LpharnessError | None = None

    def add(self, trial: Trial) -> None:
        """Add a trial that has its verdict."""
        if self._store is None or self.folder is None:
            return
        from lpharness.store.add import add_trial

        try:
            add_trial(self._store, self.folder, self.folder.trial(trial.id))
        except LpharnessError as error:
            self._trouble = error

    def complete(self, *, whole: bool) -> bool:
        """Say whether the store has all trials of the run; tell a person if it has not.

        Args:
            whole: whether to add what an earlier part of the run left in the folder, too.
        """
        if self._store is None or self.folder is None:
            return True
        if whole or self._trouble:
            from lpharness.store.add import add_run

            try:
                add_run(self._store, self.folder.path)
            except LpharnessError as error:
                sys.stderr.write(f"lpharness: not all is in the store: {error.message}\n")
                sys.stderr.write(f"  hint: lpharness store add {self.folder.path}\n")
                return False
        return True


@contextmanager
def storing(name: str | None) -> Iterator[Storing]:
    """Open the store that is named, or that of ``LPHARNESS_STORE``; without either do nothing.

    Raises:
        InputError: it is something else, or of a newer schema.
        HostError: it cannot be reached or written.
    """
    name = store_asked_for(name)
    if name is None:
        yield Storing(None)
        return
    from lpharness.store import open_store

    with open_store(name, create=True) as store:
        yield Storing(store)
