"""Who may include a file, told from the text of a tree."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpharness.kernels.model import Kernel, KernelOrigin
from lpharness.sources.includes import Includers, load_includers
from lpharness.sources.tree import SourceTree

FILES = {
    "fs/a/a.c": '#include "a.h"\n#include <linux/x.h>\n',
    "fs/a/a.h": "#pragma once\n# include  <linux/y.h>\n",
    "fs/b/b.c": '#include "a.h"\n',  # its own, not the other folder's
    "fs/b/a.h": "int b;\n",
    "fs/c/c.c": '#include "a.h"\n',  # by an include path of the makefile
    "fs/d/d.c": '#include "../a/a.h"\n',
    "fs/e.c": '#include "a/a.c"\n',
    "net/n.c": '#include "a.h"\n/* #include <linux/x.h> in words */\n',
    "include/linux/x.h": "#include <linux/y.h>\n",
    "include/linux/y.h": "int y;\n",
    "include/other/y.h": "int z;\n",
}


@pytest.fixture
def includers(tmp_path: Path) -> Includers:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    kernel = Kernel(
        release="1", flavour="", arch="amd64", image=tmp_path, modules=tmp_path, config={},
        origin=KernelOrigin(spec=""), identity="x",
    )  # fmt: skip
    return load_includers(SourceTree(kernel, (tmp_path,), "key", own=True))


def test_a_neighbour_of_that_name_is_what_is_meant(includers: Includers) -> None:
    assert sorted(includers.of("fs/a/a.h")) == ["fs/a/a.c", "fs/c/c.c", "fs/d/d.c"]
    assert sorted(includers.of("fs/b/a.h")) == ["fs/b/b.c", "fs/c/c.c"]


def test_paths_tell_headers_of_one_name_apart(includers: Includers) -> None:
    assert sorted(includers.of("include/linux/y.h")) == ["fs/a/a.h", "include/linux/x.h"]
    assert includers.of("include/other/y.h") == []


def test_units_are_found_through_headers_and_c_files(includers: Includers) -> None:
    assert includers.units("include/linux/y.h", most=9) == (
        {"fs/a/a.c", "fs/c/c.c", "fs/d/d.c", "fs/e.c"}, True,
    )  # fmt: skip


def test_the_search_stops_when_there_are_too_many(includers: Includers) -> None:
    units, whole = includers.units("include/linux/y.h", most=2)
    assert (len(units), whole) == (3, False)


NAMES = st.text(alphabet="abc", min_size=1, max_size=3)


@given(st.lists(NAMES), NAMES)
def test_every_line_of_a_name_is_found(names: list[str], wanted: str) -> None:
    rows = sorted(f"{name}\t<x/{name}\tf{n}.c\n".encode() for n, name in enumerate(names))
    found = Includers(b"".join(rows), Path("/nowhere")).of(f"include/x/{wanted}")
    assert sorted(found) == sorted(f"f{n}.c" for n, name in enumerate(names) if name == wanted)
