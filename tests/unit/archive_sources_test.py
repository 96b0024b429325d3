from __future__ import annotations

from pathlib import Path

import pytest

from lpharness.archive import sources
from lpharness.archive.sources import HostApt, debian_sources, mirror_source
from lpharness.base.errors import HostError, InputError

DEBIAN = """# the usual
Types: deb deb-src
URIs: http://deb.example/debian
Suites: bookworm bookworm-updates
# a comment within
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://deb.example/debian-security
Suites: bookworm-security
Components: main

Enabled: no
Types: deb
URIs: http://disabled.example/debian
Suites: bookworm
Components: main

Types: deb-src
URIs: http://source.example/debian
Suites: bookworm
Components: main
"""
OTHERS = """deb [arch=amd64 signed-by=/etc/apt/keyrings/docker.asc] https://dock.example/debian x y
deb-src http://elsewhere.example/debian bookworm main
# deb http://commented.example/debian bookworm main
deb http://unknown.example/debian bookworm main
deb http://proved.example/apt bookworm main
"""


@pytest.fixture
def host(tmp_path: Path) -> HostApt:
    host = HostApt(tmp_path / "etc", tmp_path / "lists")
    (host.etc / "sources.list.d").mkdir(parents=True)
    host.lists.mkdir()
    return host


def test_third_parties_are_left_out_and_deb_src_too(host: HostApt) -> None:
    (host.etc / "sources.list.d/debian.sources").write_text(DEBIAN)
    (host.etc / "sources.list.d/more.list").write_text(OTHERS)
    (host.etc / "sources.list.d/more.list.save").write_text("deb http://old.example/ x main\n")
    (host.lists / "proved.example_apt_dists_bookworm_InRelease").write_text("Origin: Someone\n")
    kept = debian_sources(host)
    assert [uri for source in kept for uri in source.uris] == [
        "http://deb.example/debian",
        "http://deb.example/debian-security",
        "http://unknown.example/debian",
    ]
    assert "deb-src" not in "".join(source.text for source in kept)
    assert kept[0].suites == ("bookworm", "bookworm-updates")


def test_an_origin_proved_by_the_host_outweighs_the_keyring(host: HostApt) -> None:
    line = "deb [signed-by=/etc/apt/keyrings/ours.gpg] http://mirror.corp.example/deb bookworm main"
    (host.etc / "sources.list").write_text(line)
    assert debian_sources(host) == []
    (host.lists / "mirror.corp.example_deb_dists_bookworm_InRelease").write_text("Origin: Debian\n")
    assert [source.text for source in debian_sources(host)] == [line]


def test_a_mirror_takes_the_suites_of_its_part_of_the_archive(
    host: HostApt, tmp_path: Path
) -> None:
    (host.etc / "sources.list.d/debian.sources").write_text(DEBIAN)
    known = debian_sources(host)
    assert mirror_source("https://m.example/debian-security", known).suites == (
        "bookworm-security",
    )
    assert mirror_source("https://m.example/debian", known).suites == (
        "bookworm",
        "bookworm-updates",
    )
    assert mirror_source("https://m.example/debian sid", known).suites == ("sid",)


@pytest.mark.parametrize(
    "text", [" ", "not a url", "http://m.example/debian 'x y'", "http://m a\nb: c;"]
)
def test_a_mirror_that_is_none(text: str) -> None:
    with pytest.raises(InputError, match="not a mirror"):
        mirror_source(text, [])


def test_without_debians_keyring_no_mirror_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "KEYRINGS", (Path("/nonexistent"),))
    with pytest.raises(HostError, match="keyring"):
        mirror_source("http://m.example/debian sid", [])
