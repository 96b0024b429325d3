"""By CVE: which kernels are exposed, and for which a livepatch is proven, failing or missing.

Nothing is inferred. A kernel is *exposed* where a control guest without the patch showed the flaw;
*proven* is a livepatch of which every newest trial passes; where nobody looked, it says that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from lpharness.results.model import WORST_FIRST, Verdict
from lpharness.site.addresses import trial_page
from lpharness.site.book import Book
from lpharness.store.history import BAD
from lpharness.store.trials import Found


class State(StrEnum):
    """What is known of a livepatch for one flaw on one kernel."""

    PROVEN = "proven"
    """Every newest trial passes."""
    FAILING = "failing"
    """One fails, also where the case declares that it must: the flaw is not healed."""
    UNCLEAR = "unclear"
    """None fails, but of one or more nobody could say."""
    MISSING = "missing"
    """Nothing was ever tried on this kernel."""


LOOKS = {
    State.PROVEN: "pass",
    State.FAILING: "fail",
    State.UNCLEAR: "error",
    State.MISSING: "skip",
}
"""The verdict whose colours a state has."""


_EXPOSED: dict[Verdict | None, str] = {
    Verdict.PASS: "exposed: flaw seen",
    Verdict.FAIL: "flaw not healed",
    Verdict.ERROR: "flaw not seen",
}


class Standing(Struct, frozen=True, kw_only=True):
    """A flaw on a kernel."""

    state: State
    flaw: Verdict | None = None
    """What the check came to that the flaw shows without the patch and not with it; ``None`` where
    no trial asked."""
    trials: int = 0
    href: str = ""
    """The worst trial's page."""
    kernel: str = ""
    """The exact release that was tried."""

    @property
    def exposed(self) -> str:
        """What is known of the kernel itself."""
        if self.state is State.MISSING:
            return "nobody looked"
        return _EXPOSED.get(self.flaw, "case has no trigger")

    @property
    def looks(self) -> str:
        """The verdict whose colours it has."""
        return LOOKS[self.state]


class FlawRow(Struct, frozen=True, kw_only=True):
    """A flaw on all kernels."""

    cve: str
    cases: Mapping[str, str]
    """The cases that heal it, with their titles."""
    standings: Sequence[Standing]
    """By kernel."""

    @property
    def states(self) -> list[str]:
        """Those that there are, for the filter."""
        return sorted({standing.state.value for standing in self.standings})


def flaw_rows(book: Book) -> list[FlawRow]:
    """Return all flaws that a trial was ever about, or a known case is; the newest CVE first."""
    places: dict[str, dict[str, list[Found]]] = defaultdict(lambda: defaultdict(list))
    healers: dict[str, dict[str, str]] = defaultdict(dict)
    for cve, cases in book.known_flaws.items():
        places[cve] = defaultdict(list)
        healers[cve].update(cases)
    for trial in book.newest():
        for cve in book.cves.get(trial.id, ()):
            places[cve][trial.line.target].append(trial)
            healers[cve][trial.line.case] = trial.title
    return [
        FlawRow(
            cve=cve,
            cases=healers[cve],
            standings=[_standing(book, by_kernel.get(kernel, ())) for kernel in book.kernels],
        )
        for cve, by_kernel in sorted(places.items(), key=lambda pair: _age(pair[0]))
    ]


def _standing(book: Book, trials: Sequence[Found]) -> Standing:
    if not trials:
        return Standing(state=State.MISSING)
    worst = min(trials, key=lambda trial: WORST_FIRST.index(trial.verdict))
    return Standing(
        state=_state(trial.verdict for trial in trials),
        flaw=_flaw(book, trials),
        trials=len(trials),
        href=trial_page(worst),
        kernel=worst.kernel,
    )


def _flaw(book: Book, trials: Sequence[Found]) -> Verdict | None:
    """Return what is known of the flaw itself: seen in one guest, it is there."""
    found = {book.flaws_shown.get(trial.id) for trial in trials}
    known = (Verdict.FAIL, Verdict.PASS, Verdict.ERROR)
    return next((verdict for verdict in known if verdict in found), None)


def _state(verdicts: Iterable[Verdict]) -> State:
    found = set(verdicts)
    if found & (BAD | {Verdict.XFAIL}):
        return State.FAILING
    return State.PROVEN if found == {Verdict.PASS} else State.UNCLEAR


def _age(cve: str) -> tuple[int, int]:
    """Order CVEs by year and number, the newest first."""
    _, year, number = cve.split("-", 2)
    return -int(year), -int(number)
