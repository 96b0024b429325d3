"""`Archive` against a real apt and a real server."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from archive_support import DATA, Served, make_deb, needs_apt, redirect_apt, serve

from lpharness.archive import Archive, index
from lpharness.base.cache import Cache
from lpharness.base.errors import HostError, InputError

pytestmark = pytest.mark.skipif(not needs_apt, reason="needs apt and dpkg-deb on this host")


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    with serve(tmp_path / "archive") as archive:
        redirect_apt(tmp_path, f"deb [trusted=yes] {archive.url} bookworm main\n", monkeypatch)
        yield archive


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def make_old(cache: Cache, name: str = "checked", seconds: float = 90000) -> None:
    for path in cache.root.glob(f"apt/*/{name}"):
        then = path.stat().st_mtime - seconds
        os.utime(path, (then, then))


def test_found_downloaded_unpacked(served: Served, cache: Cache) -> None:
    make_deb(served.pool, "tool", "1.0-9", files={"usr/bin/tool": b"#!/bin/sh\n"})
    deb = make_deb(served.pool, "tool", "1.0-10", files={"usr/bin/tool": b"#!/bin/sh\nexit\n"})
    served.publish()
    archive = Archive(cache)
    assert [p.version for p in archive.find("to*l")] == ["1.0-10", "1.0-9"]
    package = archive.find("tool")[0]
    assert archive.download(package).read_bytes() == deb.read_bytes()
    assert (archive.unpack(package) / "usr/bin/tool").read_bytes() == b"#!/bin/sh\nexit\n"
    assert len(served.asked_for(".deb")) == 1
    assert package.origin == f"{served.url} bookworm/main"


def test_each_architecture_has_an_index_of_its_own(served: Served, cache: Cache) -> None:
    make_deb(served.pool, "tool", "1.0-1", arch="amd64")
    make_deb(served.pool, "tool", "1.0-2", arch="ppc64el")
    make_deb(served.pool, "data", "1.0-3", arch="all")
    served.publish(archs=("amd64", "ppc64el"))
    for arch, version in (("ppc64el", "1.0-2"), ("amd64", "1.0-1")):
        archive = Archive(cache, arch=arch)
        found = [(package.version, package.arch) for package in archive.find("*")]
        assert found == [("1.0-3", "all"), (version, arch)]
    assert len(list(cache.root.glob("apt/*/index.sqlite"))) == 2


def test_a_fresh_index_is_not_asked_for_again(served: Served, cache: Cache) -> None:
    make_deb(served.pool, "tool")
    served.publish()
    assert Archive(cache).find("tool")
    before = len(served.requests)
    assert Archive(cache).find("tool")
    assert Archive(cache).find("missing") == []  # too young to have changed
    assert len(served.requests) == before


def test_an_old_index_is_refreshed(served: Served, cache: Cache) -> None:
    make_deb(served.pool, "tool", "1")
    served.publish()
    assert [p.version for p in Archive(cache).find("tool")] == ["1"]
    make_deb(served.pool, "tool", "2")
    served.publish()
    assert [p.version for p in Archive(cache).find("tool")] == ["1"]
    make_old(cache)
    assert [p.version for p in Archive(cache).find("tool")] == ["2", "1"]


def take_index_as_the_hosts(cache: Cache, tmp_path: Path) -> None:
    """Leave what one user's update fetched where the host's own update would have left it."""
    for path in cache.root.glob("apt/*/lists/*_dists_*"):
        shutil.copy2(path, tmp_path / "hostlists")
    shutil.rmtree(cache.root)


def test_what_the_host_fetched_lately_is_not_fetched_again(
    served: Served, cache: Cache, tmp_path: Path
) -> None:
    make_deb(served.pool, "tool")
    served.publish()
    Archive(cache).find("tool")
    take_index_as_the_hosts(cache, tmp_path)
    before = len(served.requests)
    assert Archive(cache).find("tool")
    assert len(served.requests) == before


def test_a_source_that_the_host_did_not_fetch_is_fetched(
    served: Served, cache: Cache, tmp_path: Path
) -> None:
    make_deb(served.pool, "tool", "1")
    served.publish()
    Archive(cache).find("tool")
    take_index_as_the_hosts(cache, tmp_path)
    make_deb(served.pool, "tool", "2")
    served.publish(suite="sid")
    with (tmp_path / "etc/apt/sources.list").open("a") as file:
        file.write(f"deb [trusted=yes] {served.url} sid main\n")
    assert [p.version for p in Archive(cache).find("tool")] == ["2", "1"]


def test_a_missing_package_refreshes_an_index_that_is_not_brand_new(
    served: Served, cache: Cache
) -> None:
    make_deb(served.pool, "other")
    served.publish()
    assert Archive(cache).find("tool") == []
    make_deb(served.pool, "tool")
    served.publish()
    make_old(cache, seconds=1000)
    assert Archive(cache).find("tool")


def test_an_old_index_serves_while_the_server_is_down(
    served: Served, cache: Cache, caplog: pytest.LogCaptureFixture
) -> None:
    make_deb(served.pool, "tool")
    served.publish()
    Archive(cache).find("tool")
    make_old(cache, seconds=3 * 86400)
    served.down = True
    with caplog.at_level(logging.WARNING):
        assert Archive(cache).find("tool")
    assert served.url in caplog.text
    assert "3 days ago" in caplog.text
    before = len(served.requests)
    assert Archive(cache).find("tool")  # and does not try again with each call
    assert len(served.requests) == before


def test_no_index_and_no_server(served: Served, cache: Cache) -> None:
    served.down = True
    with pytest.raises(HostError, match=r"no package index.*503"):
        Archive(cache).find("tool")


def test_what_is_not_debians_is_not_seen(served: Served, cache: Cache) -> None:
    make_deb(served.pool, "linux-image-evil")
    served.publish(origin="Evil")
    with pytest.raises(HostError, match="Debian's own"):
        Archive(cache).find("linux-image-*")


def test_a_broken_off_download_goes_on(served: Served, cache: Cache) -> None:
    deb = make_deb(served.pool, "big", files={"usr/big": os.urandom(300_000)})
    served.publish()
    archive = Archive(cache)
    package = archive.find("big")[0]
    data = deb.read_bytes()
    (cache.root / "debs").mkdir()
    (cache.root / f"debs/.partial-{package.sha256}").write_bytes(data[:100_000])
    assert archive.download(package).read_bytes() == data
    assert [r[1] for r in served.asked_for(".deb")] == ["bytes=100000-"]


@pytest.mark.parametrize("left", [b"not what the file begins with", b"x" * 500_000])
def test_a_wrong_beginning_is_found_out_and_not_kept(
    served: Served, cache: Cache, left: bytes
) -> None:
    deb = make_deb(served.pool, "tool")
    served.publish()
    archive = Archive(cache)
    package = archive.find("tool")[0]
    (cache.root / "debs").mkdir()
    partial = cache.root / f"debs/.partial-{package.sha256}"
    partial.write_bytes(left)
    if len(left) < package.size:
        with pytest.raises(HostError, match="SHA-256"):
            archive.download(package)
        assert not partial.exists()
    assert archive.download(package).read_bytes() == deb.read_bytes()


@pytest.mark.parametrize("damage", ["cut", "flipped", "lost"])
def test_a_package_that_was_damaged_in_the_cache_is_fetched_again(
    served: Served, cache: Cache, damage: str
) -> None:
    deb = make_deb(served.pool, "tool")
    served.publish()
    archive = Archive(cache)
    package = archive.find("tool")[0]
    kept = archive.download(package)
    whole = deb.read_bytes()
    if damage == "lost":
        kept.unlink()
    else:
        kept.write_bytes(whole[:-30] if damage == "cut" else whole[:-1] + bytes([whole[-1] ^ 1]))
    assert archive.download(package).read_bytes() == whole
    assert len(served.asked_for(".deb")) == 2
    assert archive.download(package).read_bytes() == whole
    assert len(served.asked_for(".deb")) == 2


def test_another_file_under_the_name_is_refused(served: Served, cache: Cache) -> None:
    deb = make_deb(served.pool, "tool")
    served.publish()
    archive = Archive(cache)
    package = archive.find("tool")[0]
    deb.write_bytes(bytes(deb.stat().st_size))
    with pytest.raises(HostError, match="SHA-256 differs"):
        archive.download(package)
    assert [p.name for p in (cache.root / "debs").iterdir() if "lock" not in p.name] == []


def test_a_package_that_left_the_archive(served: Served, cache: Cache) -> None:
    old = make_deb(served.pool, "tool", "1")
    served.publish()
    archive = Archive(cache)
    package = archive.find("tool")[0]
    old.unlink()
    make_deb(served.pool, "tool", "2")
    served.publish()
    make_old(cache, seconds=1000)
    with pytest.raises(InputError, match=r"no longer has tool 1; it has 2") as refused:
        archive.download(package)
    assert "--debs" in str(refused.value)


def test_a_package_that_moved_within_the_archive(served: Served, cache: Cache) -> None:
    deb = make_deb(served.pool, "tool")
    served.publish()
    archive = Archive(cache)
    package = archive.find("tool")[0]
    deb.rename(deb.with_name("moved.deb"))
    served.publish()
    make_old(cache, seconds=1000)
    assert archive.download(package).exists()


def test_a_full_disk_is_told(served: Served, cache: Cache) -> None:
    make_deb(served.pool, "tool")
    served.publish()
    archive = Archive(cache)
    package = archive.find("tool")[0]
    (cache.root / "debs").mkdir()
    (cache.root / f"debs/.partial-{package.sha256}").symlink_to("/dev/full")
    with pytest.raises(HostError, match="no space left") as refused:
        archive.download(package)
    assert "prune" in str(refused.value)


def test_a_disk_too_full_for_the_index_is_told(
    served: Served, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_deb(served.pool, "tool")
    served.publish()

    def connect(path: Path) -> sqlite3.Connection:
        """Open a database that may grow to one page, which is what a full disk does to it."""
        database = sqlite3.Connection(path)
        database.execute("PRAGMA max_page_count = 1")
        return database

    monkeypatch.setattr(index.sqlite3, "connect", connect)
    with pytest.raises(HostError, match=r"package index.*full"):
        Archive(cache).find("tool")


def test_a_damaged_index_is_told(served: Served, cache: Cache) -> None:
    make_deb(served.pool, "tool")
    served.publish()
    Archive(cache).find("tool")
    (database,) = cache.root.glob("apt/*/index.sqlite")
    database.write_bytes(b"not a database" * 1000)
    with pytest.raises(HostError, match="damaged") as refused:
        Archive(cache).find("tool")
    assert f"rm -r {database.parent}" in str(refused.value)


def test_two_processes_download_once(served: Served, cache: Cache) -> None:
    make_deb(served.pool, "tool", files={"usr/x": os.urandom(2_000_000)})
    served.publish()
    program = (
        "from lpharness.archive import Archive; a = Archive(); print(a.unpack(a.find('tool')[0]))"
    )
    environment = {**os.environ, "LPHARNESS_CACHE": str(cache.root)}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    said = {process.communicate(timeout=60)[0] for process in running}
    assert len(said) == 1
    assert [process.returncode for process in running] == [0, 0, 0]
    assert len(served.asked_for(".deb")) == 1
    assert len(served.asked_for("Packages")) == 1


def test_set_user_id_does_not_reach_the_host(served: Served, cache: Cache) -> None:
    make_deb(served.pool, "su", files={"bin/su": b"x"}, modes={"bin/su": 0o6755})
    served.publish()
    archive = Archive(cache)
    tree = archive.unpack(archive.find("su")[0])
    assert stat.S_IMODE((tree / "bin/su").stat().st_mode) == 0o755


def test_an_unpacked_package_counts_as_used_now(served: Served, cache: Cache) -> None:
    """Packages bring their own dates, and `prune` goes by the date of the entry."""
    old = make_deb(served.pool, "tool")
    subprocess.run(["touch", "-d", "2001-01-01", str(old)], check=True)
    served.publish()
    archive = Archive(cache)
    tree = archive.unpack(archive.find("tool")[0])
    assert tree.stat().st_mtime >= (cache.root / "debs").stat().st_mtime - 60


def test_a_folder_of_packages_comes_first(served: Served, cache: Cache, tmp_path: Path) -> None:
    make_deb(served.pool, "tool", "1")
    served.publish()
    (tmp_path / "mine").mkdir()
    mine = make_deb(tmp_path / "mine", "tool", "1", files={"usr/mine": b""})
    archive = Archive(cache, debs=tmp_path / "mine")
    found = archive.find("tool")
    assert [p.path for p in found] == [mine, None]
    assert (archive.unpack(found[0]) / "usr/mine").exists()


def test_a_folder_of_packages_does_without_an_archive(
    served: Served, cache: Cache, tmp_path: Path
) -> None:
    served.down = True
    (tmp_path / "mine").mkdir()
    make_deb(tmp_path / "mine", "tool")
    assert Archive(cache, debs=tmp_path / "mine").find("tool")


def test_bad_folders_of_packages(cache: Cache, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        Archive(cache, debs=tmp_path / "nowhere")
    (tmp_path / "cut.deb").write_bytes(b"!<arch>\n")
    with pytest.raises(InputError, match=r"cut\.deb"):
        Archive(cache, debs=tmp_path).find("*")


def test_closure_is_ordered_and_deterministic(served: Served, cache: Cache) -> None:
    make_deb(served.pool, "app", depends="libapp (>= 2), awk, a | b", pre_depends="base")
    make_deb(served.pool, "libapp", "1.9")
    make_deb(served.pool, "libapp", "2.0", depends="app", arch="all")  # a circle
    make_deb(served.pool, "mawk", provides="awk", priority="required")
    make_deb(served.pool, "gawk", provides="awk")
    make_deb(served.pool, "b", depends="base:any")
    make_deb(served.pool, "base", essential="yes")
    served.publish()
    archive = Archive(cache)
    found = [f"{p.name} {p.version}" for p in archive.closure(["app"])]
    assert found == ["base 1.0-1", "libapp 2.0", "mawk 1.0-1", "b 1.0-1", "app 1.0-1"]
    assert "gawk" in [p.name for p in archive.closure(["gawk", "app"])]
    assert "mawk" not in [p.name for p in archive.closure(["gawk", "app"])]


def test_closure_names_what_is_missing(served: Served, cache: Cache) -> None:
    make_deb(served.pool, "app", depends="libgone (>= 2) | libother")
    served.publish()
    with pytest.raises(InputError, match=r"app 1\.0-1 depends on libgone \(>= 2\) \| libother"):
        Archive(cache).closure(["app"])
    with pytest.raises(InputError, match="no package named nothing"):
        Archive(cache).closure(["nothing"])


def test_backports_are_for_those_who_name_them(
    served: Served, cache: Cache, tmp_path: Path
) -> None:
    make_deb(served.pool, "tool", "1")
    served.publish()
    newer = make_deb(served.pool, "tool", "2~bpo")
    served.publish(suite="bookworm-backports", extra="NotAutomatic: yes\n")
    del newer
    with (tmp_path / "etc/apt/sources.list").open("a") as file:
        file.write(f"deb [trusted=yes] {served.url} bookworm-backports main\n")
    archive = Archive(cache)
    assert [p.version for p in archive.find("tool")] == ["2~bpo", "1"]
    assert [p.version for p in archive.closure(["tool"])] == ["1"]


class TestSignature:
    """The index must be signed by a key that the source names (a key made for this test)."""

    @pytest.fixture
    def signed(self, served: Served, tmp_path: Path) -> Path:
        suite = served.root / "dists/bookworm"
        (suite / "main/binary-amd64").mkdir(parents=True)
        shutil.copy(DATA / "InRelease", suite)
        shutil.copy(DATA / "Packages", suite / "main/binary-amd64")
        (tmp_path / "etc/apt/sources.list").write_text(
            f"deb [signed-by={DATA / 'debian-archive-test.asc'}] {served.url} bookworm main\n"
        )
        os.utime(tmp_path)
        return suite

    def test_a_signed_index_is_believed(self, signed: Path, cache: Cache) -> None:
        assert [p.version for p in Archive(cache).find("linux-image-*")] == ["6.1.1-1"]

    def test_an_altered_release_is_not(self, signed: Path, cache: Cache) -> None:
        release = signed / "InRelease"
        release.write_text(release.read_text().replace("Suite: old", "Suite: "))
        with pytest.raises(HostError, match="sign"):
            Archive(cache).find("linux-image-*")

    def test_an_altered_index_is_not(self, signed: Path, cache: Cache) -> None:
        index = signed / "main/binary-amd64/Packages"
        index.write_text(index.read_text().replace("6.1.1-1\n", "6.1.1-2\n"))
        with pytest.raises(HostError, match=r"[Hh]ash"):
            Archive(cache).find("linux-image-*")

    def test_a_mirror_must_be_signed_by_debian_itself(
        self, signed: Path, served: Served, cache: Cache
    ) -> None:
        with pytest.raises(HostError, match=r"sign|key"):
            Archive(cache, mirror=f"{served.url}/ bookworm").find("linux-image-*")
