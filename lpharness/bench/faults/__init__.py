"""``lpharness bench faults``: is every planted fault caught, by the check that should?"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from lpharness.base.progress import Step
from lpharness.bench.faults.attempt import attempt
from lpharness.bench.faults.corpus import corpus
from lpharness.bench.faults.model import Caught, Fault, Outcome

__all__ = ["Caught", "Fault", "Outcome", "attempt", "corpus", "measure"]


def measure(faults: Sequence[Fault], jobs: int, step: Step) -> list[Outcome]:
    """Plant each fault, ``jobs`` at a time; return the outcomes in the faults' order."""
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        futures = [pool.submit(attempt, fault) for fault in faults]
        try:
            for done, future in enumerate(as_completed(futures), 1):
                outcome = future.result()
                step.update(done, len(futures))
                step.note(f"{outcome.fault}: {outcome.caught}")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [future.result() for future in futures]
