"""A failing sequence made short, by leaving out acts, in a bounded number of attempts.

Hypothesis' own shrinking knows nothing of what an attempt costs here: a guest restored and all of
its steps. Acts are plain data and none depends on another's outcome, so leaving out some is enough.
"""

from __future__ import annotations

from livepatch_machine.acts import Act
from livepatch_machine.pair import Discrepancy, Pair

ATTEMPTS = 40


def shrunk(failure: Discrepancy, pair: Pair, attempts: int = ATTEMPTS) -> Discrepancy:
    """Return the failure of the shortest sequence found that still fails."""
    best, size = failure, max(1, len(failure.acts) // 2)
    tried: set[tuple[Act, ...]] = set()
    while True:
        shorter = None
        for at in reversed(range(0, len(best.acts), size)):
            acts = best.acts[:at] + best.acts[at + size :]
            if not acts or acts in tried:
                continue
            if len(tried) >= attempts:
                return best
            tried.add(acts)
            shorter = _failure(acts, pair)
            if shorter and len(shorter.acts) < len(best.acts):
                best = shorter
                break
            shorter = None
        if shorter is None:
            if size == 1:
                return best
            size //= 2
        size = max(1, min(size, len(best.acts) // 2))


def _failure(acts: tuple[Act, ...], pair: Pair) -> Discrepancy | None:
    try:
        pair.run(acts)
    except Discrepancy as failure:
        return failure
    return None
