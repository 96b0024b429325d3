"""The same cases on every profile: kernel, configuration and toolchain.

Nothing is built here that takes minutes: `make test-profiles` builds the kernels of our own first,
and asks for these tests; `make test` is about stock kernels, whatever happens to be built here.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from asked_for import PROFILES_ONLY
from emit_support import CMDLINE, case, edited, kernel
from emit_trials import CHANGES, expect_pass, tried

from lpharness.engine.compiler import find_compiler
from lpharness.engine.objects import compile_pairs, plan_diff, prove_base
from lpharness.kernels.profiles import find_profile, profiles
from lpharness.kernels.toolchains import major_of, parse_toolchain
from lpharness.sources.prepare import prepare_tree

CASES = ("cmdline", "hot-syscall", "stall", "module-function")
OBJECTS = (CMDLINE, "mm/slub.c", "kernel/sched/core.c", "net/ipv4/tcp_input.c", "fs/ext4/mballoc.c")
pytestmark = PROFILES_ONLY


@pytest.fixture(params=profiles())
def profile(request: pytest.FixtureRequest) -> str:
    """Return the spec of a profile whose kernel is here."""
    spec = f"profile:{request.param}"
    kernel(spec)
    return spec


def test_it_is_what_its_name_says(profile: str) -> None:
    name = profile.partition(":")[2]
    compiler = find_compiler(kernel(profile))
    family, major = parse_toolchain(find_profile(name).toolchain)
    assert ("clang" in compiler.version) is (family == "clang")
    assert major_of(compiler.version) == major
    assert not compiler.differs


@pytest.mark.parametrize("path", OBJECTS)
def test_what_the_engine_compiles_is_the_kernels_own(profile: str, path: str) -> None:
    tree = prepare_tree(kernel(profile))
    diff = edited(profile, path, lambda text: text + "\nint lph_new;\n")
    (pair,) = compile_pairs(plan_diff(tree, diff))
    proof = prove_base(pair, tree.kernel)
    assert proof.holds, proof.failures
    assert proof.functions


@pytest.mark.parametrize("name", CASES)
def test_a_case_passes(profile: str, name: str, tmp_path: Path) -> None:
    if why := find_profile(profile.partition(":")[2]).unfit.get(name):
        pytest.skip(f"{name} on {profile}: {why}")
    expect_pass(tried(name, profile, tmp_path / "run"))


@pytest.mark.parametrize("name", CHANGES)
def test_a_diff_does_in_a_guest_what_it_says(profile: str, name: str, tmp_path: Path) -> None:
    change = CHANGES[name]
    written = tmp_path / "made-of-a-diff"
    written.mkdir()
    case(written, edited(profile, change.path, change.edit), change.body)
    expect_pass(tried(written, profile, tmp_path / "run"))
