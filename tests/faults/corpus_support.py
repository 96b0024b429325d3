"""One test for each fault of a class: the same attempt that ``lpharness bench faults`` makes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lpharness.bench.faults import Caught, Fault, attempt, corpus

HERE = Path(__file__).parent


def each_of(class_: str) -> pytest.MarkDecorator:
    """Parametrise a test by the faults of a class."""
    faults = corpus(HERE, (class_,))
    return pytest.mark.parametrize("fault", faults, ids=[fault.name for fault in faults])


def must_be_caught(fault: Fault) -> None:
    if fault.long and not os.environ.get("LPHARNESS_TEST_LONG"):
        pytest.skip("takes long: `lpharness bench faults` or LPHARNESS_TEST_LONG=1 tries it")
    outcome = attempt(fault)
    if outcome.caught is Caught.SKIPPED:
        pytest.skip(outcome.reason)
    assert outcome.caught is Caught.CAUGHT, outcome.reason
