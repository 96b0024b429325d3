"""lpharness in a user's own pytest suite: ``docs/pytest.md`` teaches it.

Loaded by every pytest run of an environment that lpharness is installed in, so nothing heavy is
imported before a fixture is asked for.
"""

from lpharness.pytest_plugin.fixtures import guest, kernel, livepatch, lpharness_machine, workload
from lpharness.pytest_plugin.hooks import (
    pytest_addoption,
    pytest_configure,
    pytest_generate_tests,
    pytest_pyfunc_call,
    pytest_runtest_makereport,
)

__all__ = [
    "guest",
    "kernel",
    "livepatch",
    "lpharness_machine",
    "pytest_addoption",
    "pytest_configure",
    "pytest_generate_tests",
    "pytest_pyfunc_call",
    "pytest_runtest_makereport",
    "workload",
]
