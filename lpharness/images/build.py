"""The story of an image: packages, overlays, programs and modules become one initramfs.

It is two cpio archives, one after the other, which the kernel unpacks in turn: the base, which
depends on the recipe alone, and the modules, which depend on the kernel alone. Each is cached by
its inputs, and so is the whole. Neither is compressed: under TCG decompressing costs more than
reading.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from lpharness.archive import Archive, Package
from lpharness.base.architecture import architecture
from lpharness.base.cache import Cache
from lpharness.base.errors import InputError
from lpharness.base.hashing import identity, sha256_file
from lpharness.base.progress import SILENT, Progress
from lpharness.base.resources import data_dir
from lpharness.images import busybox, cpio, packages
from lpharness.images.guest_modules import boot_modules, module_tree
from lpharness.images.kmodules import read_table
from lpharness.images.model import Image
from lpharness.images.programs import compile_program
from lpharness.images.recipe import Recipe, load_recipe
from lpharness.images.tree import Device, File, Symlink, Tree, from_folder
from lpharness.kernels.model import Kernel
from lpharness.kernels.prune import kinds, prune

_LAYOUT = 1
"""Part of every key: raise it when this room puts the same inputs together differently."""

_KINDS = ("images", "image-base", "image-modules")
_KEPT_DAYS = 7
_INIT = "init"
"""The program of ``images/programs`` that every image starts with."""


class PackageSource(Protocol):
    """What is needed of `lpharness.archive.Archive`."""

    def closure(self, names: Sequence[str]) -> Sequence[Package]:
        """Return the packages and all that they depend on."""

    def unpack(self, package: Package) -> Path:
        """Return the folder of an unpacked package."""


def build(
    recipe: str,
    kernel: Kernel,
    *,
    guest_modules: Sequence[str] = (),
    own_modules: Sequence[Path] = (),
    progress: Progress = SILENT,
    archive: PackageSource | None = None,
    cache: Cache | None = None,
) -> Image:
    """Return the image of a recipe for a kernel.

    Args:
        recipe: bundled name, or path of a ``.toml``.
        kernel: what is to boot it.
        guest_modules: modules of the kernel that are put into it with all they need, ready for
            ``modprobe``; loaded at boot are only those that the harness itself needs.
        own_modules: the harness's own, built for the kernel; loaded at boot, last.
        progress: told of each step.
        archive: where packages come from.
        cache: where images are kept.

    Raises:
        InputError: no such recipe or module, or the recipe cannot be carried out.
        HostError: no compiler, no archive, no space.
    """
    own = archive or Archive(progress=progress)
    wanted = own
    if archive is None and not architecture(kernel.arch).native:
        wanted = Archive(progress=progress, arch=kernel.arch)
    return _Builder(cache or Cache(), wanted, own, progress).image(
        recipe, kernel, tuple(guest_modules), tuple(own_modules)
    )


def _prune(cache: Cache) -> None:
    """Remove what was not used for a week: each change of a recipe leaves a whole image behind."""
    if here := [kind for kind in kinds(cache) if kind in _KINDS]:  # no kinds would mean all
        prune(cache, days=_KEPT_DAYS, only=here)


class _Builder:
    def __init__(
        self, cache: Cache, archive: PackageSource, own: PackageSource, progress: Progress
    ) -> None:
        """Prepare to build.

        Args:
            cache: for all that is made.
            archive: of the guest's architecture.
            own: of the host's, for what runs here.
            progress: told of each step.
        """
        self._cache, self._archive, self._own = cache, archive, own
        self._progress = progress

    def image(
        self,
        name: str,
        kernel: Kernel,
        guest_modules: tuple[str, ...],
        own_modules: tuple[Path, ...],
    ) -> Image:
        name, folder, recipe = load_recipe(name)
        overlays = [_overlay(overlay, folder) for overlay in recipe.overlays]
        programs = {
            program: compile_program(program, arch=kernel.arch)
            for program in (_INIT, *recipe.programs)
        }
        closure = self._archive.closure(recipe.packages)
        table = read_table(kernel)
        loaded = boot_modules(table)
        modules = table.closure([*loaded, *guest_modules])

        base_key = identity(
            _LAYOUT,
            msgspec.json.encode(recipe),
            *(package.sha256 for package in closure),
            *(sha256_file(path) for path in programs.values()),
            *(_overlay_identity(overlay) for overlay in overlays),
        )
        modules_key = identity(
            _LAYOUT,
            kernel.identity,
            kernel.release,
            *loaded,
            "",
            *modules,
            "",
            *(f"{path.name} {sha256_file(path)}" for path in own_modules),
        )

        def write_base(out: Path) -> None:
            tree = self._base_tree(recipe, closure, programs, overlays)
            (out / "provides.json").write_bytes(msgspec.json.encode(sorted(_provides(tree))))
            _write_part(tree, out / "part.cpio")

        def write_modules(out: Path) -> None:
            lender = self._own if isinstance(self._own, Archive) else None
            tree = module_tree(kernel, table, loaded, modules, own_modules, lender, out)
            _write_part(tree, out / "part.cpio")

        def write_image(out: Path) -> None:
            _prune(self._cache)
            with self._progress.step(f"make the image {name} for {kernel.release}"):
                base = self._cache.get("image-base", base_key, write_base)
                extra = self._cache.get("image-modules", modules_key, write_modules)
                _join([base / "part.cpio", extra / "part.cpio"], out / "initramfs.cpio")
                about = _about(name, recipe, out / "initramfs.cpio", base / "provides.json")
                (out / "image.json").write_bytes(msgspec.json.encode(about, enc_hook=str))

        entry = self._cache.get(
            "images", identity(name, base_key, modules_key), write_image, sealed=True
        )
        return _for_kernel(_load(entry), kernel)

    def _own_busybox(self) -> Path:
        """Return this host's busybox, built from the same source as the guest's."""
        folders = [self._own.unpack(package) for package in self._own.closure([busybox.PACKAGE])]
        places = (folder / name / "busybox" for folder in folders for name in ("usr/bin", "bin"))
        return next(place for place in places if place.is_file())

    def _base_tree(
        self,
        recipe: Recipe,
        closure: Sequence[Package],
        programs: dict[str, Path],
        overlays: list[Path],
    ) -> Tree:
        folders = [self._archive.unpack(package) for package in closure]
        tree = packages.lay(folders, keep=recipe.keep, drop=recipe.drop)
        runs_here = None if self._archive is self._own else self._own_busybox()
        busybox.place(tree, applets=recipe.applets, runs_here=runs_here)
        for link, target in recipe.links.items():
            tree.add(link, Symlink(target))
        for overlay in overlays:
            tree.merge(_overlay_tree(overlay))
        for name, path in programs.items():
            tree.add("init" if name == _INIT else f"lph/{name}", File(path, 0o755))
        for folder in ("dev", "proc", "sys", "tmp", "run", "root", "mnt", "var/log"):
            tree.add_folder(folder)
        # The kernel opens /dev/console for init before init can mount anything.
        tree.add("dev/console", Device(5, 1, 0o600))
        tree.add("dev/null", Device(1, 3, 0o666))
        return tree


def _overlay(name: str, recipe_folder: Path) -> Path:
    for folder in (recipe_folder / name, data_dir("images") / "overlays" / name):
        if folder.is_dir():
            return folder
    raise InputError(
        f"the recipe's overlay {name!r} is neither in {recipe_folder} nor bundled",
        hint="an overlay is a folder beside the recipe, laid out like the guest's root",
    )


def _overlay_tree(folder: Path) -> Tree:
    """Return an overlay with modes that do not depend on the checkout: scripts are executable."""
    tree = from_folder(folder)
    for path, file in list(tree.files()):
        content = file.read()
        tree.entries[path] = File(content, 0o755 if content.startswith(b"#!") else 0o644)
    return tree


def _overlay_identity(folder: Path) -> str:
    parts: list[str | bytes] = []
    for path, entry in sorted(_overlay_tree(folder).entries.items()):
        parts += [path, entry.read() if isinstance(entry, File) else repr(entry)]
    return identity(*parts)


def _provides(tree: Tree) -> set[str]:
    """Return the names that a guest's shell finds in PATH."""
    names = set()
    for path, entry in tree.entries.items():
        folder, _, name = path.rpartition("/")
        if folder in ("usr/bin", "usr/sbin"):
            found = tree.find(path) if isinstance(entry, Symlink) else entry
            if isinstance(found, File) and found.mode & 0o111:
                names.add(name)
    return names


def _write_part(tree: Tree, path: Path) -> None:
    with path.open("wb") as out:
        cpio.write(tree, out)


def _join(parts: list[Path], whole: Path) -> None:
    with whole.open("wb") as out:
        for part in parts:
            with part.open("rb") as source:
                shutil.copyfileobj(source, out, 1 << 20)


def _about(name: str, recipe: Recipe, initramfs: Path, provides: Path) -> Image:
    """Return the image's description, its file's name relative to its folder."""
    megabytes = initramfs.stat().st_size >> 20
    return Image(
        recipe=name,
        identity=sha256_file(initramfs)[:20],
        initramfs=Path(initramfs.name),
        # While it is unpacked it is there twice: as the kernel found it, and in its file system.
        memory_mb=-(-(recipe.memory_mb + 2 * megabytes) // 64) * 64,
        provides=frozenset(msgspec.json.decode(provides.read_bytes(), type=set[str])),
    )


def _for_kernel(image: Image, kernel: Kernel) -> Image:
    """Return the image with the memory that it needs under a kernel.

    KASAN takes an eighth for its shadow and more for what it keeps in quarantine, and the root file
    system may fill half of what is left: an image that does not fit is cut off without a word.
    """
    if kernel.config.get("CONFIG_KASAN") != "y":
        return image
    return msgspec.structs.replace(image, memory_mb=image.memory_mb * 3 // 2)


def _load(entry: Path) -> Image:
    content = (entry / "image.json").read_bytes()
    about = msgspec.json.decode(content, type=Image, dec_hook=lambda kind, value: kind(value))
    return msgspec.structs.replace(about, initramfs=entry / about.initramfs)
