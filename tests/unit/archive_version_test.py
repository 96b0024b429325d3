from __future__ import annotations

import shutil
import subprocess
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lpharness.archive.version import compare, satisfies, version_key

PARTS = st.text("0123aZ.+~", min_size=1, max_size=7)
VERSIONS = st.builds(
    lambda epoch, upstream, revision: f"{epoch}0{upstream}{revision}",
    st.sampled_from(["", "0:", "1:"]),
    PARTS,
    st.one_of(st.just(""), PARTS.map(lambda text: f"-{text}")),
)

ASCENDING = [
    "1.0~~", "1.0~~a", "1.0~", "1.0", "1.0a", "1.0+b1", "1.0.1",
    "6.1.99-1", "6.1.170-3", "6.1.192-1", "6.1.192-2",
    "6.12.117-1~bpo12+1", "6.12.117-1~deb12u1", "6.12.117-1", "1:0.1",
]  # fmt: skip


@pytest.mark.parametrize(("earlier", "later"), list(pairwise(ASCENDING)))
def test_known_orders(earlier: str, later: str) -> None:
    assert compare(earlier, later) < 0 < compare(later, earlier)


def test_sorting_is_by_version_not_by_text() -> None:
    assert sorted(set(ASCENDING), key=version_key) == ASCENDING


def test_leading_zeros_and_a_missing_revision_weigh_nothing() -> None:
    assert compare("1.01", "1.1") == compare("1.1-0", "1.1") == compare("0:1", "1") == 0


@given(VERSIONS, VERSIONS, VERSIONS)
def test_it_is_an_order(a: str, b: str, c: str) -> None:
    assert compare(a, b) == -compare(b, a)
    if compare(a, b) <= 0 and compare(b, c) <= 0:
        assert compare(a, c) <= 0


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="dpkg is what it is compared with")
@settings(max_examples=150, deadline=None)
@given(VERSIONS, VERSIONS)
def test_dpkg_agrees(a: str, b: str) -> None:
    relation = {-1: "lt", 0: "eq", 1: "gt"}[compare(a, b)]
    assert (
        subprocess.run(["dpkg", "--compare-versions", a, relation, b], check=False).returncode == 0
    )


@pytest.mark.parametrize(
    ("relation", "true_for"),
    [("<<", {-1}), ("<=", {-1, 0}), ("=", {0}), (">=", {0, 1}), (">>", {1})],
)
def test_relations(relation: str, true_for: set[int]) -> None:
    given_versions = {-1: "1.0~rc1", 0: "1.0", 1: "1.0.1"}
    held = {
        order for order, version in given_versions.items() if satisfies(version, relation, "1.0")
    }
    assert held == true_for


def test_a_relation_that_does_not_exist() -> None:
    with pytest.raises(ValueError, match="=="):
        satisfies("1", "==", "1")
