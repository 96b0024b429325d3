from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from lpharness.archive.control import Relation, package_of, parse_relations
from lpharness.archive.index import Index, write_index
from lpharness.archive.package import Package

STANZA = """Package: linux-headers-6.1.0-55-cloud-amd64
Source: linux (6.1.192-1)
Version: 6.1.192-1
Installed-Size: 2790
Architecture: amd64
Depends: linux-headers-6.1.0-55-common (= 6.1.192-1), linux-kbuild-6.1 (>= 6.1.192-1),
 gcc-12 | c-compiler:any
Description: Depends: on nothing of this line
Filename: pool/x.deb
Size: 12
SHA256: ABCDEF
"""


def package(name: str, **fields: str) -> Package:
    return Package(
        name=name, version="1", arch="all", size=1, sha256="0", uri="u", origin="o", **fields  # type: ignore[arg-type]
    )  # fmt: skip


def test_a_stanza() -> None:
    found = package_of(STANZA, base="http://h/debian/", origin="here", automatic=False)
    assert found is not None
    assert found.uri == "http://h/debian/pool/x.deb"
    assert (found.size, found.sha256, found.source) == (12, "abcdef", "linux")
    assert found.installed_size == 2790 * 1024
    assert not found.automatic
    assert list(parse_relations(found.depends)) == [
        (Relation("linux-headers-6.1.0-55-common", "=", "6.1.192-1"),),
        (Relation("linux-kbuild-6.1", ">=", "6.1.192-1"),),
        (Relation("gcc-12"), Relation("c-compiler")),
    ]


def test_a_stanza_without_a_checksum_is_no_package() -> None:
    assert package_of(STANZA.replace("SHA256", "MD5sum"), base="u", origin="o") is None
    assert package_of(STANZA.replace("Size: 12", "Size: many"), base="u", origin="o") is None


@given(st.text())
def test_any_text_is_read_without_an_error(text: str) -> None:
    list(parse_relations(text))
    package_of(text, base="u", origin="o")


def test_an_index_finds_names_and_providers(tmp_path: Path) -> None:
    mawk = package("mawk", provides="awk, posix-awk (= 2)")
    write_index(tmp_path / "i", [package("bash"), mawk])
    index = Index(tmp_path / "i")
    assert index.find("mawk") == [mawk]
    assert index.providers("posix-awk") == [mawk]
    assert index.find("nothing") == index.providers("bash") == []
    index.close()
    assert [p.name for p in tmp_path.iterdir()] == ["i"]


@given(
    names=st.lists(st.text("abc-.0", min_size=1, max_size=5), unique=True),
    pattern=st.text("abc-.0*?", min_size=1, max_size=5)
    | st.sampled_from(["[a-b]*", "[!a]*", "*-[.0]", "a[b]"]),
)
def test_patterns_mean_what_fnmatch_says(
    tmp_path_factory: object, names: list[str], pattern: str
) -> None:
    path = tmp_path_factory.mktemp("index") / "i"  # type: ignore[attr-defined]
    write_index(path, [package(name) for name in names])
    index = Index(path)
    assert [p.name for p in index.find(pattern)] == [n for n in names if fnmatchcase(n, pattern)]
    index.close()
