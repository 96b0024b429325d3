"""Each planted fault, by the same attempt that ``lpharness bench faults`` makes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lpharness.bench.faults import Caught, Fault, attempt, corpus

FAULTS = corpus(Path(__file__).parent)


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_is_caught(fault: Fault) -> None:
    if fault.long and not os.environ.get("LPHARNESS_TEST_LONG"):
        pytest.skip("takes long: `lpharness bench faults` or LPHARNESS_TEST_LONG=1 tries it")
    outcome = attempt(fault)
    if outcome.caught is Caught.SKIPPED:
        pytest.skip(outcome.reason)
    assert outcome.caught is Caught.CAUGHT, outcome.reason
