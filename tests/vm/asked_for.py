"""Tests that run only when they are asked for: they need kernels that take an hour to build."""

import os

import pytest

_ASKED = "LPHARNESS_TEST_PROFILES"

PROFILES_ONLY = pytest.mark.skipif(
    _ASKED not in os.environ,
    reason=f"`make test-profiles` builds its kernels and runs it; {_ASKED}=1 takes those here",
)
