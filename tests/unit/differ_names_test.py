"""What the differ makes of the names that compilers give."""

from __future__ import annotations

import pytest

from lpharness.engine.differ.names import (
    is_numbered,
    own_base,
    parent_name,
    source_name,
    stable,
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("foo.isra.0", "foo.isra.3"),
        ("foo.constprop.1.isra.0", "foo.constprop.0.isra.2"),
        ("foo.part.0.cold", "foo.part.1.cold"),
        ("foo.cold", "foo.cold.17"),
        ("foo.llvm.123456", "foo.llvm.987"),
        ("count.0", "count.12"),
        ("foo.count.1", "foo.count.2"),
        ("__compound_literal.3", "__compound_literal.9"),
        ("__UNIQUE_ID_license12", "__UNIQUE_ID_license7"),
        ("__UNIQUE_ID___addressable_foo31", "__UNIQUE_ID___addressable_foo4"),
        ("__initcall__kmod_ext4__700_7372_init6", "__initcall__kmod_ext4__9_1_init6"),
        ("__BTF_ID__func__foo__12", "__BTF_ID__func__foo__4"),
    ],
)
def test_numbers_that_mean_nothing(one: str, other: str) -> None:
    assert stable(one) == stable(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("foo", "foo.isra.0"),
        ("foo.isra.0", "foo.constprop.0"),
        ("foo.isra.0", "foo.isra.0.cold"),
        ("foo.part.0", "foo"),
        ("count.0", "count"),
        ("count.0", "counter.0"),
        ("md5_1", "md5_2"),
        ("__initcall__kmod_a__1_1_init6", "__initcall__kmod_b__1_1_init6"),
        ("__UNIQUE_ID_license12", "__UNIQUE_ID_author12"),
    ],
)
def test_names_that_are_different_things(one: str, other: str) -> None:
    assert stable(one) != stable(other)


def test_what_the_compiler_numbers() -> None:
    assert is_numbered("count.3")
    assert is_numbered("foo.isra.0")
    assert not is_numbered("foo.cold")
    assert not is_numbered("sha256_x86_64")
    assert not is_numbered("foo.llvm.77")


def test_sources_and_parents() -> None:
    assert source_name("foo.constprop.0.cold") == "foo"
    assert source_name("__UNIQUE_ID_ddebug12.3") == "__UNIQUE_ID_ddebug12"
    assert parent_name("foo.isra.0.cold") == "foo.isra.0"
    assert parent_name("foo.cold.3") == "foo"
    assert parent_name("foo.part.0") is None


def test_a_patch_brings_its_own_copy_of_what_macros_remember() -> None:
    assert own_base("__warned.5", writable=True) == "__warned"
    assert own_base("foo.__already_done", writable=True) == "__already_done"
    assert own_base("__func__.12", writable=False) == "__func__"
    assert own_base("CSWTCH.4", writable=False) == "CSWTCH"
    # State of the running kernel, whatever it is called
    assert own_base("___done.3", writable=True) is None
    assert own_base("descriptor.3", writable=True) is None
    assert own_base("__key", writable=True) is None
    assert own_base("CSWTCH.4", writable=True) is None
    assert own_base("my__warned.3", writable=True) is None
