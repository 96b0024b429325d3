"""The gate: a candidate held against a baseline by a policy."""

from __future__ import annotations

from collections import Counter

from lpharness.base.errors import InputError
from lpharness.gate import measured, verdicts
from lpharness.gate.evidence import Evidence
from lpharness.gate.findings import Decision, Finding, Ship
from lpharness.gate.policy import Policy
from lpharness.store import Store


def decide(store: Store, policy: Policy, baseline: str, candidate: str) -> Decision:
    """Answer whether a candidate may ship.

    Args:
        store: what is known.
        policy: what is demanded.
        baseline: a release's or a run's name.
        candidate: the same; ``latest`` for the newest run.

    Raises:
        InputError: one of them is not in the store, or they are the same runs.
        HostError: the store cannot be read.
    """
    old, new = Evidence(store, baseline), Evidence(store, candidate)
    if {run.key for run in old.runs} & {run.key for run in new.runs}:
        raise InputError(
            f"{old.title} and {new.title} have runs in common",
            hint="name the run that is to ship with --candidate",
        )
    found = list(verdicts.of_lines(policy, old, new))
    demands = list(verdicts.of_demands(policy, new))
    found += [finding for _, finding in demands if finding is not None]
    table = measured.gather(policy, old, new)
    compared = measured.compare(policy, table)
    found += measured.findings(policy, table, compared)
    found.sort(key=lambda finding: _GRAVITY[finding.answer])
    ship = _ship(found)
    return Decision(
        ship=ship,
        answer=_answer(ship, found, old, new),
        baseline=old.title,
        candidate=new.title,
        lines=len(new.lines),
        demands=len(demands),
        met=sum(finding is None for _, finding in demands),
        findings=tuple(found),
        comparisons=tuple(comparison for _, comparison in compared),
        alpha=policy.statistics.alpha,
    )


_GRAVITY = {"block": 0, "hole": 1, "tell": 2}


def _ship(found: list[Finding]) -> Ship:
    answers = {finding.answer for finding in found}
    if "block" in answers:
        return Ship.NO
    return Ship.UNKNOWN if "hole" in answers else Ship.YES


_HEAD = {
    Ship.YES: "{new} may ship",
    Ship.NO: "{new} must not ship",
    Ship.UNKNOWN: "Nobody can say whether {new} may ship",
}
_WORDS = {
    "regression": ("regression", "regressions"),
    "failing": ("failing line", "failing lines"),
    "new_flake": ("new flake", "new flakes"),
    "flake": ("known flake", "known flakes"),
    "hole": ("hole in what is demanded or tried", "holes in what is demanded or tried"),
    "gone": ("line that the baseline has and it lacks", "lines that the baseline has and it lacks"),
    "slower": ("slow-down", "slow-downs"),
    "few": ("measure with too few trials to say", "measures with too few trials to say"),
    "elsewhere": ("measure taken on other machines", "measures taken on other machines"),
    "better": ("line that is good again", "lines that are good again"),
}


def _answer(ship: Ship, found: list[Finding], old: Evidence, new: Evidence) -> str:
    """Return one paragraph: the answer, why, and the first thing to look at."""
    head = _HEAD[ship].format(new=new.title)
    sentences = [f"{head}, held against {old.title}."]
    counts = Counter(finding.kind for finding in found if finding.answer != "tell")
    if counts:
        told = [f"{number} {_WORDS[kind][number > 1]}" for kind, number in counts.items()]
        first = found[0]
        sentences.append(f"There {_is_or_are(counts)} {_listed(told)}.")
        sentences.append(f"First: {first.about}: {first.said}.")
    else:
        sentences.append(
            f"All {len(new.lines)} lines are as good as they were, everything that is demanded "
            "was tried, and no measure became worse."
        )
    tellings = Counter(finding.kind for finding in found if finding.answer == "tell")
    if tellings:
        told = [f"{number} {_WORDS[kind][number > 1]}" for kind, number in tellings.items()]
        sentences.append(f"Besides: {_listed(told)}.")
    return " ".join(sentences)


def _is_or_are(counts: Counter[str]) -> str:
    return "is" if next(iter(counts.values())) == 1 else "are"


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
