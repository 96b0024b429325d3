"""Which modules a guest needs, in which order."""

import bz2
import gzip
import lzma
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernels_support import kernel_at

from lpharness.base.errors import HostError, InputError
from lpharness.base.process import find_tool
from lpharness.images.guest_modules import boot_modules, module_tree, uncompressed
from lpharness.images.kmodules import ModuleTable, normal_name, read_table

VIRTIO = "kernel/drivers/virtio"
BOTH = f"{VIRTIO}/virtio.ko {VIRTIO}/virtio_ring.ko"
DEP = f"""\
{VIRTIO}/virtio_ring.ko:
{VIRTIO}/virtio.ko: {VIRTIO}/virtio_ring.ko
{VIRTIO}/virtio_pci.ko: {BOTH}
kernel/drivers/char/virtio_console.ko: {BOTH}
kernel/drivers/net/virtio_net.ko: {BOTH}
kernel/drivers/char/hw_random/virtio-rng.ko.xz: {BOTH}
kernel/fs/nfsd/nfsd.ko:
kernel/crypto/md5.ko:
"""


@pytest.fixture
def table(tmp_path) -> ModuleTable:
    modules = tmp_path / "lib/modules/6.1.0-1-cloud-amd64"
    modules.mkdir(parents=True)
    (modules / "modules.dep").write_text(DEP)
    (modules / "modules.builtin").write_text("kernel/drivers/block/virtio_blk.ko\n")
    (modules / "modules.softdep").write_text(
        "# comment\nsoftdep nfsd pre: md5 post: absent\nsoftdep other pre: md5\n"
    )
    return read_table(kernel_at(modules))


def test_what_is_needed_comes_first(table: ModuleTable) -> None:
    assert table.load_order(["virtio_pci"]) == ["virtio_ring", "virtio", "virtio_pci"]


def test_nothing_comes_twice(table: ModuleTable) -> None:
    order = table.load_order(["virtio_net", "virtio_pci", "virtio-rng"])
    assert order == ["virtio_ring", "virtio", "virtio_net", "virtio_pci", "virtio_rng"]


def test_what_is_built_in_is_no_error_and_not_loaded(table: ModuleTable) -> None:
    assert table.load_order(["virtio_blk"]) == []


def test_boot_takes_what_there_is(table: ModuleTable) -> None:
    assert boot_modules(table)[-4:] == ["virtio_pci", "virtio_console", "virtio_net", "virtio_rng"]


def test_a_kernel_without_virtio_is_refused(table: ModuleTable) -> None:
    del table.paths["virtio_console"]
    with pytest.raises(InputError, match="has virtio_console neither built in nor as a module"):
        boot_modules(table)


@pytest.mark.skipif(find_tool("depmod") is None, reason="needs depmod")
def test_a_guest_whose_kernel_has_all_built_in_needs_no_module(tmp_path) -> None:
    modules = tmp_path / "lib/modules/6.1-mine"
    modules.mkdir(parents=True)
    (modules / "modules.dep").touch()
    (modules / "modules.builtin").write_text(
        "kernel/drivers/virtio/virtio_pci.ko\nkernel/drivers/char/virtio_console.ko\n"
    )
    kernel = kernel_at(modules)
    table = read_table(kernel)
    assert boot_modules(table) == []
    tree = module_tree(kernel, table, [], [], [], None, tmp_path)
    files = {path: file.read() for path, file in tree.files()}
    assert files["etc/lpharness/modules"] == b""
    assert files["usr/lib/modules/6.1-mine/modules.dep"] == b""

    own = tmp_path / "lph_mine.ko"
    own.write_bytes(b"module")
    tree = module_tree(kernel, table, [], [], [own], None, tmp_path)
    files = {path: file.read() for path, file in tree.files()}
    assert files["etc/lpharness/modules"] == b"/lph/lph_mine.ko\n"
    assert files["lph/lph_mine.ko"] == b"module"


def test_soft_dependencies_come_along_if_they_exist(table: ModuleTable) -> None:
    assert table.load_order(["nfsd"]) == ["nfsd"]
    assert table.closure(["nfsd"]) == ["nfsd", "md5"]


def test_an_unknown_module_names_the_nearest(table: ModuleTable) -> None:
    with pytest.raises(InputError, match=r"6\.1\.0-1-cloud-amd64 has no module 'virtio_nett'") as e:
        table.load_order(["virtio_nett"])
    assert e.value.hint == "did you mean 'virtio_net'?"


def test_a_missing_modules_dep_says_what_to_do(tmp_path) -> None:
    modules = tmp_path / "lib/modules/6.1"
    modules.mkdir(parents=True)
    with pytest.raises(InputError, match=r"modules\.dep is missing") as raised:
        read_table(kernel_at(modules))
    assert raised.value.hint is not None
    assert f"depmod -b {tmp_path} 6.1" in raised.value.hint


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, tuple[str, ...]]:
    """Draw modules of which each needs some of those before it."""
    names = [f"m{i}" for i in range(draw(st.integers(1, 9)))]
    subset = [
        st.sets(st.sampled_from(names[:i])) if i else st.just(set()) for i in range(len(names))
    ]
    return {name: tuple(sorted(draw(subset[i]))) for i, name in enumerate(names)}


@settings(deadline=None)
@given(graphs(), st.randoms())
def test_whatever_the_graph_needs_come_first(needs, random) -> None:
    table = ModuleTable("r", {name: f"{name}.ko" for name in needs}, needs, {}, frozenset())
    wanted = random.sample(sorted(needs), len(needs))
    order = table.load_order(wanted)
    assert sorted(order) == sorted(needs)
    for name, others in needs.items():
        assert all(order.index(other) < order.index(name) for other in others)


@pytest.mark.parametrize(
    "path", ["virtio-rng", "kernel/a/virtio-rng.ko", "virtio_rng.ko.xz", "x/virtio-rng.ko.zst"]
)
def test_names_are_the_kernel_s(path: str) -> None:
    assert normal_name(path) == "virtio_rng"


def test_compressed_modules_are_unpacked(tmp_path) -> None:
    plain = b"\x7fELF" + bytes(range(256)) * 9
    packers = {".xz": lzma.compress, ".gz": gzip.compress, ".bz2": bz2.compress, "": bytes}
    for suffix, pack in packers.items():
        path = tmp_path / f"m.ko{suffix}"
        path.write_bytes(pack(plain))
        assert uncompressed(path) == plain
    if shutil.which("zstd"):
        (tmp_path / "z.ko").write_bytes(plain)
        subprocess.run(["zstd", "-q", tmp_path / "z.ko"], check=True)
        assert uncompressed(tmp_path / "z.ko.zst") == plain


@pytest.mark.parametrize("suffix", [".xz", ".gz", ".bz2", ".zst"])
def test_a_broken_module_is_named(tmp_path, suffix: str) -> None:
    path = tmp_path / f"m.ko{suffix}"
    path.write_bytes(b"not that")
    with pytest.raises(HostError, match=f"m.ko{suffix}"):
        uncompressed(path)
