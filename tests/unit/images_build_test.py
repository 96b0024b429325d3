"""Whole images, from packages made here: no archive, no kernel package."""

import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from images_cpio_test import Record, read
from kernels_support import kernel_at

from lpharness.archive import Package
from lpharness.base.cache import Cache
from lpharness.base.errors import InputError
from lpharness.images import Image, build
from lpharness.kernels.model import Kernel

BUSYBOX = "#!/bin/sh\nprintf 'bin/sh\\nusr/bin/awk\\nsbin/poweroff\\nlinuxrc\\n'\n"
MODULES = {
    "kernel/virtio_ring.ko": "",
    "kernel/virtio_pci.ko": "kernel/virtio_ring.ko",
    "kernel/virtio_console.ko": "kernel/virtio_ring.ko",
    "kernel/virtio_net.ko": "",
    "kernel/virtio-rng.ko": "",
    "kernel/extra.ko": "",
}


def compiled(source: str, out: Path, *options: str) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["gcc", "-x", "c", "-", "-x", "none", "-o", out, *options],
        input=source.encode(),
        check=True,
    )


class Packages:
    """Two packages: a busybox that is a script, and a program with a shared library."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []
        (folder / "busybox-static/bin").mkdir(parents=True)
        busybox = folder / "busybox-static/bin/busybox"
        busybox.write_text(BUSYBOX)
        busybox.chmod(0o755)
        libraries = folder / "tool/usr/lib/x86_64-linux-gnu"
        own = folder / "tool/usr/lib/tool"
        compiled("int needed(void){return 1;}", libraries / "libneeded.so.1",
                 "-shared", "-nostdlib", "-Wl,-soname,libneeded.so.1")  # fmt: skip
        compiled("int own(void){return 1;}", own / "libown.so.1",
                 "-shared", "-nostdlib", "-Wl,-soname,libown.so.1")  # fmt: skip
        compiled("int x;", libraries / "libunused.so.1", "-shared", "-nostdlib")
        compiled(
            "int needed(void); int own(void); void _start(void){needed(); own();}",
            folder / "tool/usr/sbin/tool",
            "-nostdlib", "-fPIE", "-pie", str(libraries / "libneeded.so.1"),
            str(own / "libown.so.1"), "-Wl,-rpath,$ORIGIN/../lib/tool",
            "-Wl,--dynamic-linker,/lib64/ld.so",
        )  # fmt: skip
        (folder / "tool/lib64").mkdir()
        (folder / "tool/lib64/ld.so").write_bytes(b"the linker")
        (folder / "tool/usr/share/doc").mkdir(parents=True)
        (folder / "tool/usr/share/doc/README").write_text("")

    def closure(self, names: Sequence[str]) -> Sequence[Package]:
        self.asked += names
        return [
            Package(
                name=name, version="1", arch="amd64", size=1, sha256=name, uri="", origin="test"
            )
            for name in names
        ]

    def unpack(self, package: Package) -> Path:
        return self.folder / package.name


@pytest.fixture
def packages(tmp_path: Path) -> Packages:
    return Packages(tmp_path / "packages")


@pytest.fixture
def target(tmp_path: Path) -> Kernel:
    modules = tmp_path / "kernel/lib/modules/6.1.0-1-test"
    for path in MODULES:
        name = Path(path).stem.replace("-", "_")
        info = f'__attribute__((section(".modinfo"))) char info[] = "name={name}";'
        compiled(info, modules / path, "-c")
    lines = [f"{path}: {needed}\n" for path, needed in MODULES.items()]
    (modules / "modules.dep").write_text("".join(lines))
    (modules / "modules.builtin").write_text("kernel/drivers/block/virtio_blk.ko\n")
    return kernel_at(modules)


RECIPE = """\
title = "test"
packages = ["busybox-static", "tool"]
keep = ["usr/bin/busybox", "usr/sbin/tool"]
applets = true
overlays = ["common", "mine"]

[links]
"usr/bin/alias" = "../sbin/tool"
"""


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    path = tmp_path / "mine.toml"
    path.write_text(RECIPE)
    (tmp_path / "mine/opt").mkdir(parents=True)
    (tmp_path / "mine/opt/script").write_text("#!/bin/sh\n")
    (tmp_path / "mine/opt/data").write_text("data")
    return str(path)


def made(recipe: str, target: Kernel, packages: Packages, cache: Path, *modules: str) -> Image:
    return build(recipe, target, guest_modules=modules, archive=packages, cache=Cache(cache))


def records(image: Image) -> dict[str, Record]:
    return {record.name: record for record in read(image.initramfs.read_bytes())}


def test_it_holds_what_the_recipe_says(recipe, target, packages, tmp_path) -> None:
    image = made(recipe, target, packages, tmp_path / "cache")
    there = records(image)
    assert there["init"].mode == 0o100755
    assert there["lph/busybox"].content.decode() == BUSYBOX
    assert there["usr/bin/sh"].content == b"/lph/busybox"
    assert there["bin"].content == b"usr/bin"
    assert there["usr/bin/alias"].content == b"../sbin/tool"
    assert there["opt/script"].mode == 0o100755
    assert there["opt/data"].mode == 0o100644
    assert there["dev/console"].device == (5, 1)
    assert b"root:x:0:0" in there["etc/passwd"].content
    assert "linuxrc" not in there
    assert image.provides >= {"sh", "awk", "poweroff", "tool", "alias", "busybox"}
    assert "init" not in image.provides  # outside PATH
    assert image.memory_mb % 64 == 0


def test_programs_bring_their_libraries_and_no_more(recipe, target, packages, tmp_path) -> None:
    there = records(made(recipe, target, packages, tmp_path / "cache"))
    assert "usr/lib/x86_64-linux-gnu/libneeded.so.1" in there
    assert "usr/lib/tool/libown.so.1" in there
    assert "usr/lib64/ld.so" in there
    assert "usr/lib/x86_64-linux-gnu/libunused.so.1" not in there
    assert "usr/share/doc/README" not in there


def test_modules_are_there_in_the_order_to_load_them(recipe, target, packages, tmp_path) -> None:
    there = records(made(recipe, target, packages, tmp_path / "cache"))
    home = "/usr/lib/modules/6.1.0-1-test/kernel"
    loaded = there["etc/lpharness/modules"].content.decode().split()
    assert loaded == [
        f"{home}/{name}.ko"
        for name in ("virtio_ring", "virtio_pci", "virtio_console", "virtio_net", "virtio-rng")
    ]
    assert all(path[1:] in there for path in loaded)
    assert f"{home[1:]}/extra.ko" not in there


def test_guest_modules_can_be_asked_for_but_are_not_loaded(
    recipe, target, packages, tmp_path
) -> None:
    there = records(made(recipe, target, packages, tmp_path / "cache", "extra", "virtio_blk"))
    home = "usr/lib/modules/6.1.0-1-test"
    assert f"{home}/kernel/extra.ko" in there
    assert b"extra" not in there["etc/lpharness/modules"].content
    assert b"kernel/extra.ko:" in there[f"{home}/modules.dep"].content
    assert f"{home}/modules.dep.bin" in there  # kmod's modprobe reads nothing else


def test_an_unknown_guest_module_is_refused(recipe, target, packages, tmp_path) -> None:
    with pytest.raises(InputError, match=r"has no module 'extraa'") as raised:
        made(recipe, target, packages, tmp_path / "cache", "extraa")
    assert raised.value.hint == "did you mean 'extra'?"


def test_two_caches_hold_the_same_bytes(recipe, target, packages, tmp_path) -> None:
    first = made(recipe, target, packages, tmp_path / "one", "extra")
    second = made(recipe, target, packages, tmp_path / "two", "extra")
    assert first.initramfs != second.initramfs
    assert first.initramfs.read_bytes() == second.initramfs.read_bytes()
    assert first.identity == second.identity


def test_all_that_a_kill_could_leave_is_in_the_cache(
    recipe, target, packages, tmp_path, monkeypatch
) -> None:
    """The cache sweeps what dead builders left; nobody sweeps the host's folder of such files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    made = build(str(recipe), target, archive=packages, cache=Cache(tmp_path / "cache"))
    assert made.initramfs.is_file()
    assert not list((tmp_path / "cache").rglob("tmp*"))


def test_what_changes_makes_another(recipe, target, packages, tmp_path) -> None:
    cache = tmp_path / "cache"
    first = made(recipe, target, packages, cache)
    assert made(recipe, target, packages, cache) == first
    with_extra = made(recipe, target, packages, cache, "extra")
    (tmp_path / "mine/opt/data").write_text("other")
    assert len({first.identity, with_extra.identity,
                made(recipe, target, packages, cache).identity}) == 3  # fmt: skip


def test_the_base_is_made_once_for_all_kernels(recipe, target, packages, tmp_path) -> None:
    made(recipe, target, packages, tmp_path / "cache")
    made(recipe, target, packages, tmp_path / "cache", "extra")
    assert len(Cache(tmp_path / "cache").entries("image-base")) == 1
    assert len(Cache(tmp_path / "cache").entries("images")) == 2


def test_what_was_not_used_for_a_week_goes_with_the_next_image(
    recipe, target, packages, tmp_path
) -> None:
    cache = tmp_path / "cache"
    old = made(recipe, target, packages, cache)
    week_ago = time.time() - 8 * 86400
    os.utime(old.initramfs.parent, (week_ago, week_ago))
    new = made(recipe, target, packages, cache, "extra")
    assert not old.initramfs.exists()
    assert new.initramfs.exists()
    assert len(Cache(cache).entries("image-base")) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('"usr/sbin/tool"', '"usr/sbin/tol"'), "matches keep 'usr/sbin/tol'"),
        (('"mine"', '"nowhere"'), "overlay 'nowhere'"),
        (('["busybox-static", "tool"]', '["tool"]'), "matches keep 'usr/bin/busybox'"),
    ],
)
def test_recipes_that_cannot_be_carried_out(
    recipe, target, packages, tmp_path, change, message
) -> None:
    Path(recipe).write_text(RECIPE.replace(*change))
    with pytest.raises(InputError, match=message):
        made(recipe, target, packages, tmp_path / "cache")


def test_a_library_that_no_package_has_is_named(recipe, target, packages, tmp_path) -> None:
    (packages.folder / "tool/usr/lib/tool/libown.so.1").unlink()
    with pytest.raises(InputError, match=r"usr/sbin/tool needs libown\.so\.1"):
        made(recipe, target, packages, tmp_path / "cache")
