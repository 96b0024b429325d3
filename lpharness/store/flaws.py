"""By CVE: which flaw, and for which kernels a livepatch is proven, failing or missing."""

from __future__ import annotations

from collections import defaultdict

from msgspec import Struct
from sqlalchemy import select
from sqlalchemy.orm import Session

from lpharness.results.model import Verdict
from lpharness.store.database import Store
from lpharness.store.tables import CheckRow, CveRow
from lpharness.store.trials import EVERYTHING, Found, Which, find


class Healing(Struct, frozen=True, kw_only=True):
    """What is known of a flaw on one kernel: the newest trial of each line of it."""

    cve: str
    kernel: str
    """The exact release."""
    trials: tuple[Found, ...]

    @property
    def verdicts(self) -> frozenset[Verdict]:
        """What they came to."""
        return frozenset(trial.verdict for trial in self.trials)


def healings(store: Store, which: Which = EVERYTHING) -> list[Healing]:
    """Return what is known of each flaw on each kernel that it was tried on.

    A kernel that is not listed was not tried: whether it has the flaw, nobody has looked.

    Raises:
        InputError: ``which.run`` means no run.
        HostError: the store cannot be read.
    """
    with store.reading() as session:
        cves = cves_of(session)
    newest: dict[tuple[str, str], dict[str, Found]] = defaultdict(dict)
    for trial in find(store, which):  # oldest first, so the newest stays
        for cve in cves.get(trial.id, ()):
            newest[cve, trial.kernel][trial.slug] = trial
    return [
        Healing(cve=cve, kernel=kernel, trials=tuple(found.values()))
        for (cve, kernel), found in sorted(newest.items())
    ]


def cves_of(session: Session) -> dict[int, list[str]]:
    """Return the flaws that trials are about, by the trials' ids."""
    found: dict[int, list[str]] = defaultdict(list)
    for trial_id, cve in session.execute(select(CveRow.trial_id, CveRow.cve).order_by(CveRow.cve)):
        found[trial_id].append(cve)
    return found


def verdicts_of(session: Session, check: str) -> dict[int, Verdict]:
    """Return what a check came to in each trial that has it, by the trials' ids."""
    chosen = select(CheckRow.trial_id, CheckRow.verdict).where(CheckRow.name == check)
    return {trial_id: Verdict(verdict) for trial_id, verdict in session.execute(chosen)}
