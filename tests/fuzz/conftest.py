"""How hard the fuzzing tests try, and with what: ``pytest tests/fuzz --fuzz-examples 20000``."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

EXAMPLES = 150


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("fuzz")
    group.addoption(
        "--fuzz-examples", type=int, default=EXAMPLES, metavar="N",
        help=f"mutated objects for each fuzzing test (default {EXAMPLES})",
    )  # fmt: skip
    group.addoption(
        "--fuzz-corpus", type=Path, default=None, metavar="FOLDER",
        help="objects and modules of your own to mutate as well (.o, .ko)",
    )  # fmt: skip


def pytest_configure(config: pytest.Config) -> None:
    settings.register_profile(
        "fuzz",
        max_examples=config.getoption("--fuzz-examples", EXAMPLES),
        deadline=None,  # a busy machine says nothing of the code; see `mutate.bounded`
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
