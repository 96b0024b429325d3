"""Fixes as Debian shipped them, each on the very kernel that lacks it: shown, and healed live."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from emit_support import kernel
from emit_trials import expect_pass, tried

from lpharness.archive import Archive
from lpharness.base.errors import HostError, InputError
from lpharness.cases import bundled, load
from lpharness.cases.model import Case
from lpharness.sources.package import find_source

ELSEWHERE = "ext4-mballoc-"
"""What emit_guest_test.py looks closer at."""


def shipped() -> Iterator[tuple[str, str]]:
    """Yield each case of a shipped fix with each kernel that it is for."""
    for name in bundled():
        case = load(name)
        if not name.startswith(ELSEWHERE) and all(
            module.delta and not module.delta.reverse for module in case.modules
        ):
            yield from ((name, spec) for spec in case.kernels)


SHIPPED = list(shipped())


def need_sources(case: Case) -> None:
    """Skip where the archive has one of the packages no more that a case's diff is made of."""
    archive = Archive()
    versions = {v for m in case.modules if m.delta for v in (m.delta.old, m.delta.new)}
    try:
        for version in versions:
            find_source(version, archive)
    except (HostError, InputError) as error:
        pytest.skip(str(error))


def test_there_are_fixes_of_many_kinds() -> None:
    tags = {tag for name, _ in SHIPPED for tag in load(name).tags}
    assert len(SHIPPED) >= 6
    assert {"network", "memory", "fs", "ipc", "io_uring", "security", "time", "bpf"} <= tags
    assert {"crash", "leak", "wrong-result"} <= tags


@pytest.mark.parametrize("name", sorted({name for name, _ in SHIPPED}))
def test_a_shipped_fix_says_what_it_is(name: str) -> None:
    assert load(name).references["changelog"].startswith("linux 6.")


@pytest.mark.parametrize(("name", "spec"), SHIPPED)
def test_a_shipped_fix_heals_its_flaw(name: str, spec: str, tmp_path: Path) -> None:
    kernel(spec)
    need_sources(load(name))
    expect_pass(tried(name, spec, tmp_path / "run"))
