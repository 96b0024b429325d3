"""A kernel's modules laid out for a guest: the files, modprobe's indexes, and what init loads."""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from lpharness.archive import Archive
from lpharness.base.errors import HostError, InputError
from lpharness.images.kmodules import ModuleTable
from lpharness.images.tree import File, Tree, from_folder
from lpharness.kernels.depmod import write_modules_dep
from lpharness.kernels.model import Kernel

_NEEDED = ("virtio_pci", "virtio_console")
"""Without them nobody can speak with the guest."""
_WELCOME = ("virtio_net", "virtio_blk", "virtio_rng", "pvpanic_pci", "i6300esb", "vmgenid")
"""Loaded where the kernel has them: network for SSH, disks, entropy; to tell the monitor of a
panic; a watchdog, which bites only whom opens it; to tell the guest of a restore."""

_LOAD_LIST = "etc/lpharness/modules"
_OWN = "lph"


def boot_modules(table: ModuleTable) -> list[str]:
    """Return the modules that init loads, in order.

    Raises:
        InputError: the kernel cannot do what every guest needs.
    """
    for name in _NEEDED:
        if name not in table:
            raise InputError(
                f"kernel {table.release} has {name} neither built in nor as a module",
                hint=f"guests are spoken to by {' and '.join(_NEEDED)}: enable them in its config",
            )
    return table.load_order([*_NEEDED, *(name for name in _WELCOME if name in table)])


def module_tree(
    kernel: Kernel,
    table: ModuleTable,
    loaded: Sequence[str],
    modules: Sequence[str],
    own: Sequence[Path],
    archive: Archive | None,
    folder: Path,
) -> Tree:
    """Return ``modules`` laid out for the guest with the indexes that modprobe reads.

    ``loaded`` are those that init loads, in order, and then ``own``, files of the harness. The
    indexes are depmod's, made for the modules that are there alone; ``archive`` lends a depmod
    where the host has none. Works in a folder of its own in ``folder``, whose owner removes what a
    kill leaves there.

    Raises:
        HostError: depmod is missing or fails, or a module cannot be read.
    """
    tree = Tree()
    home = f"usr/lib/modules/{kernel.release}"
    places = {name: _plain(table.paths[name]) for name in modules}
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        stage = Path(scratch, "lib/modules", kernel.release)
        stage.mkdir(parents=True)
        for name, place in places.items():
            target = stage / place
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(uncompressed(kernel.modules / table.paths[name]))
        for index in ("modules.builtin", "modules.builtin.modinfo"):
            if (kernel.modules / index).is_file():
                shutil.copyfile(kernel.modules / index, stage / index)
        (stage / "modules.order").write_text("".join(f"{place}\n" for place in places.values()))
        write_modules_dep(Path(scratch), kernel.release, archive)
        for path, file in from_folder(stage).files():
            tree.add(f"{home}/{path}", File(file.read()))
    for module in own:
        tree.add(f"{_OWN}/{module.name}", File(module.read_bytes()))
    load_list = [
        *(f"/{home}/{places[name]}" for name in loaded),
        *(f"/{_OWN}/{module.name}" for module in own),
    ]
    tree.add(_LOAD_LIST, File("".join(f"{path}\n" for path in load_list).encode()))
    return tree


def _plain(path: str) -> str:
    return f"{path.partition('.ko')[0]}.ko"


def uncompressed(path: Path) -> bytes:
    """Return a module file's plain ELF; the guest should not spend its time on that.

    Raises:
        HostError: the compressed file is broken, or ``zstd`` is missing.
    """
    try:
        match path.suffix:
            case ".xz":
                return lzma.decompress(path.read_bytes())
            case ".gz":
                return gzip.decompress(path.read_bytes())
            case ".bz2":
                return bz2.decompress(path.read_bytes())
            case ".zst":
                return _zstd(path)
            case _:
                return path.read_bytes()
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise HostError(f"cannot read the module {path}: {error}") from error


def _zstd(path: Path) -> bytes:
    # The standard library learns zstd only with Python 3.14.
    if not shutil.which("zstd"):
        raise HostError(f"zstd is needed to unpack {path}", hint="apt install zstd")
    done = subprocess.run(["zstd", "-dcq", path], capture_output=True, check=False)
    if done.returncode:
        raise HostError(f"zstd cannot unpack {path}: {done.stderr.decode().strip()}")
    return done.stdout
