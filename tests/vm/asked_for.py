"""Tests that run only when they are asked for: they take long, or need kernels that do."""

import os

import pytest

_ASKED = "LPHARNESS_TEST_PROFILES"
_LONG = "LPHARNESS_TEST_LONG"

PROFILES_ONLY = pytest.mark.skipif(
    _ASKED not in os.environ,
    reason=f"`make test-profiles` builds its kernels and runs it; {_ASKED}=1 takes those here",
)


def long_only(why: str) -> pytest.MarkDecorator:
    """Leave a test out unless long ones are asked for; ``why`` it is one is told in the skip."""
    return pytest.mark.skipif(
        not os.environ.get(_LONG), reason=f"NOT RUN: {why}; {_LONG}=1 runs them"
    )
