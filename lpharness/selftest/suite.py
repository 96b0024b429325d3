"""What tests there are, read out of their own makefile and scripts."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatch

from lpharness.base.errors import InputError
from lpharness.checks.contract import Selftest
from lpharness.kernels.config import parse_config
from lpharness.selftest.source import SelftestSource

LIVEPATCH = "livepatch"
_PROGRAMS = re.compile(r"^TEST_PROGS\s*:?=\s*((?:.*\\\n)*.*)$", re.MULTILINE)
_START = re.compile(r'^\s*start_test "(?P<name>[^"]+)"', re.MULTILINE)
_BUILT_BY_US = "CONFIG_TEST_LIVEPATCH"
"""The option that only says whether the tests' modules are built with the kernel."""


def read_suite(source: SelftestSource, collection: str = LIVEPATCH) -> tuple[Selftest, ...]:
    """Return the test programs of a collection, in the order of its makefile.

    Raises:
        InputError: the makefile names none.
    """
    folder = source.selftests / collection
    programs = _PROGRAMS.search((folder / "Makefile").read_text(errors="replace"))
    names = programs[1].replace("\\", " ").split() if programs else []
    if not names:
        raise InputError(f"{folder}/Makefile names no test programs")
    return tuple(
        Selftest(
            collection=collection,
            program=name,
            tests=tuple(_START.findall((folder / name).read_text(errors="replace"))),
        )
        for name in names
    )


def chosen(suite: Sequence[Selftest], patterns: Sequence[str]) -> tuple[Selftest, ...]:
    """Return the programs that patterns (``fnmatch``) name; all without patterns.

    A pattern is held against ``test-state.sh``, ``test-state``, ``state``, and the names of the
    tests in it: a program runs as a whole.

    Raises:
        InputError: a pattern fits nothing.
    """
    for pattern in patterns:
        if not any(_fits(selftest, pattern) for selftest in suite):
            names = [selftest.program for selftest in suite]
            near = difflib.get_close_matches(pattern, names, n=1)
            raise InputError(
                f"no selftest fits {pattern!r}; there are {', '.join(names)}",
                hint=f"did you mean {near[0]!r}?" if near else "--list shows the tests in them",
            )
    return tuple(s for s in suite if not patterns or any(_fits(s, p) for p in patterns))


def _fits(selftest: Selftest, pattern: str) -> bool:
    stem = selftest.program.removesuffix(".sh")
    names = (selftest.name, selftest.program, stem, stem.removeprefix("test-"), *selftest.tests)
    return any(fnmatch(name, pattern) for name in names)


def lacking(source: SelftestSource, config: Mapping[str, str], collection: str = LIVEPATCH) -> str:
    """Return which options a kernel lacks that the tests' own ``config`` asks for; empty: none."""
    wanted = parse_config((source.selftests / collection / "config").read_text(errors="replace"))
    missing = [
        f"{name}={value}"
        for name, value in wanted.items()
        if name != _BUILT_BY_US and config.get(name) not in (value, "y")
    ]
    return ", ".join(missing)
