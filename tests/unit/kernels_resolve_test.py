"""Kernels from a small archive, a made-up tree and plain files; depmod, dpkg and apt are real."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from archive_support import Served, make_deb, needs_apt, redirect_apt, serve
from typer.testing import CliRunner

from lpharness.archive import Archive, Unreachable, store
from lpharness.base.cache import Cache
from lpharness.base.errors import HostError, InputError
from lpharness.base.process import find_tool
from lpharness.cli.kernels import app
from lpharness.kernels import resolve, with_headers
from lpharness.kernels.bzimage import read_release
from lpharness.kernels.catalog import available
from lpharness.kernels.config import parse_config
from lpharness.kernels.prune import prune

pytestmark = pytest.mark.skipif(
    not needs_apt or find_tool("depmod") is None, reason="needs apt, dpkg-deb and depmod"
)
CONFIG = 'CONFIG_LIVEPATCH=y\n# CONFIG_FOO is not set\nCONFIG_NAME="a \\"b\\""\nCONFIG_NR=64\n'


def bzimage(release: str) -> bytes:
    """Return the header of a boot image, which is all that is read of one here."""
    head = bytearray(0x1000)
    head[0x202:0x206] = b"HdrS"
    head[0x20E:0x210] = (0x400 - 0x200).to_bytes(2, "little")
    head[0x400 : 0x400 + len(release) + 20] = release.encode() + b" (me@host) #1 SMP\0\0\0"
    return bytes(head)


def add_kernel(
    folder: Path, release: str, version: str, *, unsigned: bool = False, headers: bool = True,
    config: str = CONFIG, root: str = "lib/modules",
) -> None:  # fmt: skip
    suffix = "-unsigned" if unsigned else ""
    make_deb(
        folder, f"linux-image-{release}{suffix}", version,
        files={
            f"boot/vmlinuz-{release}": bzimage(release) + version.encode() + suffix.encode(),
            f"boot/config-{release}": config.encode(),
            f"{root}/{release}/modules.order": b"",
            f"{root}/{release}/modules.builtin": b"kernel/fs/ext4/ext4.ko\n",
        },
    )  # fmt: skip
    if headers:
        base = release.rpartition("-cloud")[0]
        make_deb(
            folder, f"linux-headers-{release}", version,
            files={f"usr/src/linux-headers-{release}/Makefile":
                   f"include /usr/src/linux-headers-{base}-common/Makefile\n".encode()},
            depends=f"linux-headers-{base}-common (= {version}), linux-kbuild-{base} (>= {version})"
            ", gcc-12",
        )  # fmt: skip
        make_deb(
            folder, f"linux-headers-{base}-common", version, arch="all",
            files={f"usr/src/linux-headers-{base}-common/Makefile": b"all:\n\techo found\n"},
        )  # fmt: skip
        make_deb(folder, f"linux-kbuild-{base}", version)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    monkeypatch.setenv("LPHARNESS_CACHE", str(tmp_path / "cache"))
    return Cache()


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Packages made once, for every test's archive to begin with."""
    folder = tmp_path_factory.mktemp("pool")
    add_kernel(folder, "6.1.0-9-cloud-amd64", "6.1.9-1")
    add_kernel(folder, "6.1.0-10-cloud-amd64", "6.1.10-1", unsigned=True)
    add_kernel(folder, "6.1.0-10-cloud-amd64", "6.1.10-1", headers=False)
    add_kernel(
        folder, "6.12.7+deb12-cloud-amd64", "6.12.7-1~deb12u1", headers=False,
        root="usr/lib/modules",
    )  # fmt: skip
    make_deb(folder, "linux-image-6.1-amd64", "6.1.99-1", depends="linux-image-6.1.0-99-amd64")
    return folder


@pytest.fixture
def served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Cache, pool: Path
) -> Iterator[Served]:
    with serve(tmp_path / "archive") as archive:
        redirect_apt(tmp_path, f"deb [trusted=yes] {archive.url} bookworm main\n", monkeypatch)
        shutil.copytree(pool, archive.pool, dirs_exist_ok=True)
        archive.publish()
        yield archive


def test_the_newest_is_taken_by_version_and_signed(served: Served) -> None:
    kernel = resolve("debian:6.1-cloud")
    assert (kernel.release, kernel.flavour) == ("6.1.0-10-cloud-amd64", "cloud-amd64")
    assert kernel.origin.package == "linux-image-6.1.0-10-cloud-amd64"
    assert kernel.origin.version == "6.1.10-1"
    assert kernel.identity == kernel.origin.sha256[:20]
    assert kernel.config == {"CONFIG_LIVEPATCH": "y", "CONFIG_NAME": 'a "b"', "CONFIG_NR": "64"}
    assert read_release(kernel.image) == kernel.release
    assert (kernel.modules / "modules.dep").exists()


def test_modules_below_usr_are_found_too(served: Served) -> None:
    kernel = resolve("debian:6.12-cloud")
    assert kernel.modules.parts[-3:] == ("lib", "modules", "6.12.7+deb12-cloud-amd64")
    assert (kernel.modules / "modules.dep").exists()


def test_a_cached_kernel_needs_no_network(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    exact, newest = resolve("debian:6.1.0-9-cloud-amd64"), resolve("debian:6.12-cloud")
    served.down = True
    shutil.rmtree(Cache().root / "apt")
    assert resolve("debian:6.1.0-9-cloud-amd64") == exact
    assert not caplog.text
    assert resolve("debian:6.12-cloud") == newest
    assert "going on with 6.12.7+deb12-cloud-amd64" in caplog.text
    assert resolve("debian:6.1-cloud").release == "6.1.0-9-cloud-amd64"
    with pytest.raises(HostError, match="no package index"):
        resolve("debian:6.1-rt")


def make_old(name: str = "checked", seconds: float = 1000) -> None:
    for stamp in Cache().root.glob(f"apt/*/{name}"):
        then = stamp.stat().st_mtime - seconds
        os.utime(stamp, (then, then))


def test_a_newest_that_was_superseded_meanwhile(served: Served) -> None:
    Archive().find("linux-image-*")
    for deb in served.pool.glob("linux-image-6.1.0-10-cloud-amd64*"):
        deb.unlink()
    add_kernel(served.pool, "6.1.0-11-cloud-amd64", "6.1.11-1")
    served.publish()
    make_old()
    assert resolve("debian:6.1-cloud").release == "6.1.0-11-cloud-amd64"


def test_a_full_disk_does_not_make_do_with_an_older_kernel(served: Served) -> None:
    resolve("debian:6.1.0-9-cloud-amd64")
    package = Archive().find("linux-image-6.1.0-10-cloud-amd64")[0]
    (Cache().root / f"debs/.partial-{package.sha256}").symlink_to("/dev/full")
    with pytest.raises(HostError, match="no space left"):
        resolve("debian:6.1-cloud")


def test_a_host_without_apt(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = resolve("debian:6.1-cloud")
    monkeypatch.setattr(store, "apt_is_here", lambda: False)
    assert resolve("debian:6.1-cloud") == kernel
    with pytest.raises(Unreachable, match="no apt") as refused:
        resolve("debian:6.1-rt")
    assert "files:" in (refused.value.hint or "")


def test_a_release_that_is_gone_names_the_nearest(served: Served) -> None:
    with pytest.raises(InputError, match=r"no kernel 6\.1\.0-8-cloud-amd64") as refused:
        resolve("debian:6.1.0-8-cloud-amd64")
    assert "debian:6.1.0-9-cloud-amd64" in (refused.value.hint or "")
    assert "--debs" in (refused.value.hint or "")
    with pytest.raises(InputError, match=r"no cloud-amd64 kernel of 6\.2") as refused:
        resolve("debian:6.2-cloud")
    assert "debian:6.1-cloud, debian:6.12-cloud" in (refused.value.hint or "")


def test_a_release_that_is_gone_comes_from_a_folder(served: Served, tmp_path: Path) -> None:
    (tmp_path / "debs").mkdir()
    add_kernel(tmp_path / "debs", "6.1.0-8-cloud-amd64", "6.1.8-1")
    kernel = resolve("debian:6.1.0-8-cloud-amd64", debs=tmp_path / "debs")
    assert kernel.release == "6.1.0-8-cloud-amd64"
    with pytest.raises(InputError, match=r"no linux-headers-6\.1\.0-8-cloud-amd64 6\.1\.8-1"):
        with_headers(kernel)
    assert with_headers(kernel, debs=tmp_path / "debs").headers


def test_only_an_unsigned_twin_is_better_than_nothing(served: Served) -> None:
    add_kernel(served.pool, "6.1.0-7-cloud-amd64", "6.1.7-1", unsigned=True, headers=False)
    served.publish()
    kernel = resolve("debian:6.1.0-7-cloud-amd64")
    assert kernel.origin.package == "linux-image-6.1.0-7-cloud-amd64-unsigned"


def test_headers_of_the_very_version(served: Served) -> None:
    kernel = with_headers(resolve("debian:6.1.0-9-cloud-amd64"))
    assert kernel.headers is not None
    moved = kernel.headers.parents[2].rename(kernel.headers.parents[3] / "moved")
    make = shutil.which("make")
    if make is None:
        pytest.skip("needs make")
    tree = moved / "usr/src" / kernel.headers.name
    assert os.popen(f"{make} -s -C {tree}").read() == "found\n"


def test_headers_that_are_not_to_be_had(served: Served) -> None:
    with pytest.raises(InputError, match=r"no linux-headers-6\.12\.7\+deb12-cloud-amd64"):
        with_headers(resolve("debian:6.12-cloud"))


def test_a_kernel_without_livepatch_is_refused(served: Served) -> None:
    add_kernel(served.pool, "6.3.0-1-cloud-amd64", "6.3.1-1", config="CONFIG_X86=y\n")
    served.publish()
    with pytest.raises(InputError, match="CONFIG_LIVEPATCH"):
        resolve("debian:6.3.0-1-cloud-amd64")
    assert not [e for e in Cache().entries("kernels") if e.name.startswith("6.3")]


def test_the_catalogue(served: Served) -> None:
    resolve("debian:6.1.0-9-cloud-amd64")
    listed = {kernel.release: kernel for kernel in available(Archive())}
    assert list(listed) == [
        "6.12.7+deb12-cloud-amd64", "6.1.0-10-cloud-amd64", "6.1.0-9-cloud-amd64",
    ]  # fmt: skip
    old, new = listed["6.1.0-9-cloud-amd64"], listed["6.1.0-10-cloud-amd64"]
    assert (old.cached, old.newest, new.cached, new.newest) == (
        True, None, False, "debian:6.1-cloud",
    )  # fmt: skip
    assert old.disk_bytes > 0 == new.disk_bytes
    assert new.package == "linux-image-6.1.0-10-cloud-amd64"
    assert new.has_headers
    assert not listed["6.12.7+deb12-cloud-amd64"].has_headers
    (served.pool / "linux-image-6.1.0-9-cloud-amd64_6.1.9-1_amd64.deb").unlink()
    served.publish()
    make_old(seconds=90000)
    gone = next(k for k in available(Archive()) if k.release == "6.1.0-9-cloud-amd64")
    assert (gone.in_archive, gone.cached) == (False, True)


class TestTree:
    @pytest.fixture
    def tree(self, tmp_path: Path, cache: Cache) -> Path:
        tree = tmp_path / "linux"
        (tree / "arch/x86/boot").mkdir(parents=True)
        (tree / "arch/x86/boot/bzImage").write_bytes(bzimage("6.1.192-test"))
        for name, text in {
            "Makefile": "", ".config": CONFIG, "Module.symvers": "", "modules.order": "",
        }.items():  # fmt: skip
            (tree / name).write_text(text)
        return tree

    def test_without_modules(self, tree: Path) -> None:
        kernel = with_headers(resolve(f"tree:{tree}"))
        assert (kernel.release, kernel.flavour, kernel.headers) == ("6.1.192-test", "", tree)
        assert (kernel.modules / "modules.dep").read_text() == ""
        assert resolve(f"tree:{tree}").identity == kernel.identity

    def test_another_content_is_another_kernel(self, tree: Path) -> None:
        first = resolve(f"tree:{tree}")
        (tree / ".config").write_text(CONFIG + "CONFIG_MORE=y\n")
        second = resolve(f"tree:{tree}")
        assert first.identity != second.identity
        assert first.image.read_bytes() == second.image.read_bytes()

    @pytest.mark.parametrize("line", ["fs/x/x.ko", "fs/x/x.o", "kernel/fs/x/x.ko"])
    def test_modules_are_copied_as_installed(self, tree: Path, line: str) -> None:
        true = shutil.which("true") or "/bin/true"
        (tree / "fs/x").mkdir(parents=True)
        shutil.copy(true, tree / "fs/x/x.ko")  # an ELF file is all that depmod asks for
        (tree / "modules.order").write_text(line + "\n")
        kernel = resolve(f"tree:{tree}")
        assert (kernel.modules / "kernel/fs/x/x.ko").exists()
        assert "kernel/fs/x/x.ko:" in (kernel.modules / "modules.dep").read_text()

    @pytest.mark.parametrize(
        ("remove", "message"),
        [
            ("arch/x86/boot/bzImage", "no arch/x86/boot/bzImage"),
            (".config", r"no \.config"),
            ("Module.symvers", r"no Module\.symvers"),
            ("Makefile", "not a kernel tree"),
        ],
    )
    def test_unfit_trees(self, tree: Path, remove: str, message: str) -> None:
        (tree / remove).unlink()
        with pytest.raises(InputError, match=message):
            resolve(f"tree:{tree}")

    def test_an_image_of_an_earlier_build(self, tree: Path) -> None:
        (tree / "include/generated").mkdir(parents=True)
        (tree / "include/generated/utsrelease.h").write_text('#define UTS_RELEASE "6.1.193"\n')
        with pytest.raises(InputError, match=r"those of 6\.1\.193, the image is 6\.1\.192-test"):
            resolve(f"tree:{tree}")

    def test_unfit_contents(self, tree: Path) -> None:
        (tree / "modules.order").write_text("fs/gone.ko\n")
        with pytest.raises(InputError, match=r"lists fs/gone\.ko"):
            resolve(f"tree:{tree}")
        (tree / ".config").write_text("CONFIG_X86=y\n")
        with pytest.raises(InputError, match="CONFIG_LIVEPATCH"):
            resolve(f"tree:{tree}")
        (tree / ".config").write_text("hello\n")
        with pytest.raises(InputError, match="not a kernel configuration"):
            resolve(f"tree:{tree}")


class TestFiles:
    @pytest.fixture
    def files(self, tmp_path: Path, cache: Cache) -> Path:
        modules = tmp_path / "lib/modules/6.1.5"
        modules.mkdir(parents=True)
        (modules / "modules.order").touch()
        (tmp_path / "vmlinuz-6.1.5").write_bytes(bzimage("6.1.5"))
        (tmp_path / "config-6.1.5").write_text(CONFIG)
        (tmp_path / "headers/include/config").mkdir(parents=True)
        (tmp_path / "headers/include/generated").mkdir()
        (tmp_path / "headers/Makefile").touch()
        # Debian's kernel.release names the upstream version; what modules get is UTS_RELEASE
        (tmp_path / "headers/include/config/kernel.release").write_text("6.1.192\n")
        (tmp_path / "headers/include/generated/utsrelease.h").write_text(
            '#define UTS_RELEASE "6.1.5"\n'
        )
        return tmp_path

    @pytest.mark.parametrize("modules", ["", "lib/modules", "lib/modules/6.1.5"])
    def test_whole(self, files: Path, modules: str) -> None:
        spec = (
            f"files:image={files}/vmlinuz-6.1.5,modules={files / modules},headers={files}/headers"
        )
        kernel = resolve(spec)
        assert (kernel.release, kernel.headers) == ("6.1.5", files / "headers")
        assert (kernel.modules / "modules.dep").exists()

    def test_refusals(self, files: Path) -> None:
        spec = f"files:image={files}/vmlinuz-6.1.5,modules={files}"
        with pytest.raises(InputError, match="no headers") as refused:
            with_headers(resolve(spec))
        assert "headers=DIR" in (refused.value.hint or "")
        (files / "headers/include/generated/utsrelease.h").write_text(
            '#define UTS_RELEASE "6.1.6"\n'
        )
        with pytest.raises(InputError, match=r"those of 6\.1\.6, the image is 6\.1\.5"):
            resolve(f"{spec},headers={files}/headers")
        (files / "lib/modules/6.1.5").rename(files / "lib/modules/6.1.7")
        with pytest.raises(InputError, match=r"no modules of 6\.1\.5"):
            resolve(f"files:image={files}/vmlinuz-6.1.5,modules={files}/lib/modules")
        with pytest.raises(InputError, match="cannot read the kernel image"):
            resolve(f"files:image={files}/nothing,modules={files}")
        with pytest.raises(InputError, match="not an x86 boot image"):
            resolve(f"files:image={files}/config-6.1.5,modules={files}")


def test_a_config_with_odd_lines() -> None:
    text = 'CONFIG_A=y\r\nCONFIG_B="\\\\"\nnot CONFIG_C=y\nCONFIG_D=0x10\nCONFIG_E=""\n'
    assert parse_config(text) == {
        "CONFIG_A": "y", "CONFIG_B": "\\", "CONFIG_D": "0x10", "CONFIG_E": "",
    }  # fmt: skip


class TestPrune:
    @pytest.fixture
    def full(self, cache: Cache) -> Cache:
        for kind in ("kernels", "snapshots"):
            for day in (1, 10, 100):
                entry = cache.get(kind, f"{day}-days", lambda f: (f / "x").write_bytes(b"x" * 9000))
                then = entry.stat().st_mtime - day * 86400
                os.utime(entry, (then, then))
        return cache

    def left(self, cache: Cache) -> list[str]:
        return [f"{k}/{e.name}" for k in ("kernels", "snapshots") for e in cache.entries(k)]

    def test_by_age(self, full: Cache) -> None:
        removed = prune(full, days=30)
        assert {(r.kind, r.name) for r in removed} == {
            ("kernels", "100-days"), ("snapshots", "100-days"),
        }  # fmt: skip
        assert all(9000 <= r.bytes < 20000 and 99 < r.unused_days < 101 for r in removed)
        assert len(self.left(full)) == 4

    def test_by_number_within_a_kind(self, full: Cache) -> None:
        prune(full, keep=1, only=["kernels"])
        assert self.left(full) == [
            "kernels/1-days", "snapshots/1-days", "snapshots/10-days", "snapshots/100-days",
        ]  # fmt: skip

    def test_what_either_limit_keeps_stays(self, full: Cache) -> None:
        prune(full, keep=1, days=30)
        assert len(self.left(full)) == 4
        prune(full, keep=2, days=5)
        assert len(self.left(full)) == 4

    def test_a_dry_run_removes_nothing(self, full: Cache) -> None:
        assert len(prune(full, dry_run=True)) == 6
        assert len(self.left(full)) == 6
        assert len(prune(full)) == 6
        assert self.left(full) == []

    def test_what_the_dead_left(self, full: Cache) -> None:
        dead = full.root / "kernels/.aside-x-abc"
        dead.mkdir()
        old, young = full.root / "kernels/.partial-old", full.root / "kernels/.partial-young"
        old.touch()
        os.utime(old, (0, 0))
        young.touch()
        with full.scratch("kernels", "y") as living:
            prune(full, days=1000)
            assert (living.exists(), old.exists(), young.exists()) == (True, False, True)
        assert not living.exists()
        assert not dead.exists()

    def test_an_unknown_kind(self, full: Cache) -> None:
        with pytest.raises(InputError, match="no kernel") as refused:
            prune(full, only=["kernel"])
        assert "kernels, snapshots" in (refused.value.hint or "")

    def test_an_empty_cache(self, cache: Cache) -> None:
        assert prune(cache) == []


class TestCommandLine:
    def test_list_fetch_prune(self, served: Served) -> None:
        run = CliRunner().invoke
        fetched = run(app, ["fetch", "debian:6.1.0-9-cloud-amd64", "--json"])
        assert fetched.exit_code == 0, fetched.output
        (kernel,) = json.loads(fetched.stdout)
        assert Path(kernel["headers"]).is_dir()
        listed = run(app, ["list", "6.1.0", "--cached", "--json"])
        (only,) = json.loads(listed.stdout)
        assert only["release"] == "6.1.0-9-cloud-amd64"
        table = run(app, ["list"]).stdout
        assert "debian:6.12.7+deb12-cloud-amd64" in table
        freed = json.loads(run(app, ["prune", "--all", "--json"]).stdout)
        assert freed["bytes"] > 0
        assert not json.loads(run(app, ["list", "--cached", "--json"]).stdout)

    def test_what_frees_little_is_told_in_one_line(self, cache: Cache) -> None:
        for name in ("a", "b", "c"):
            size = 2_000_000 if name == "c" else 10
            cache.get("things", name, lambda at, size=size: (at / "x").write_bytes(bytes(size)))
        said = CliRunner().invoke(app, ["prune", "--all"]).stdout
        assert [line.split()[:2] for line in said.splitlines()[1:-1]] == [
            ["things", "c"], ["2", "small"],
        ]  # fmt: skip
        assert said.splitlines()[-1].endswith(" freed")

    def test_all_with_a_limit_makes_no_sense(self, cache: Cache) -> None:
        result = CliRunner().invoke(app, ["prune", "--all", "--keep", "1"])
        assert isinstance(result.exception, InputError)
