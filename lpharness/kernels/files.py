"""Kernels that are no packages: a built tree, or plain files."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from lpharness.archive import Archive
from lpharness.base.architecture import NATIVE, Architecture, architecture, of_config
from lpharness.base.errors import InputError
from lpharness.base.hashing import identity, sha256_file
from lpharness.kernels.boot_image import BootImage, read_boot_image
from lpharness.kernels.config import read_config
from lpharness.kernels.depmod import write_modules_dep
from lpharness.kernels.model import Kernel
from lpharness.kernels.spec import FilesSpec, TreeSpec
from lpharness.kernels.store import (
    KIND,
    Record,
    kernel_of,
    key_of,
    require_livepatch,
    write_record,
)

_MODULE_SUFFIXES = (".ko", ".ko.xz", ".ko.zst", ".ko.gz")
_LISTS = ("modules.order", "modules.builtin", "modules.builtin.modinfo")


def resolve_tree(spec: TreeSpec, archive: Archive) -> Kernel:
    """Return the kernel of a built tree; image and modules are copied, the tree may be rebuilt.

    Raises:
        InputError: not a built tree, or one that cannot be patched live.
    """
    tree = spec.path.absolute()
    if not (tree / "Kbuild").exists() and not (tree / "Makefile").exists():
        raise InputError(f"{tree} is not a kernel tree", hint="tree: takes the build folder")
    config_path = tree / ".config"
    target = _architecture_of(config_path)
    image = tree / target.image
    if not image.exists():
        raise InputError(
            f"{tree} has no {target.image}", hint=f"build it: make -C {tree} {target.target}"
        )
    if not config_path.exists():
        raise InputError(f"{tree} has no .config", hint="is it the folder the kernel was built in?")
    config = read_config(config_path)
    require_livepatch(config, str(tree))
    boot = read_boot_image(image)
    _check_release(tree, boot.release)
    if not (tree / "Module.symvers").exists():
        raise InputError(
            f"{tree} has no Module.symvers, so no module can be built for it",
            hint=f"build it: make -C {tree} modules",
        )
    modules = {name: tree / name for name in _built_modules(tree)}
    return _stage(
        archive, spec.text, image, boot, config, modules=modules, lists=tree, headers=tree,
        beside=(config_path, tree / "Module.symvers"),
    )  # fmt: skip


def resolve_files(spec: FilesSpec, archive: Archive) -> Kernel:
    """Return a kernel of plain files; image and modules are copied into the cache.

    Raises:
        InputError: a file is missing or is not what it is said to be.
    """
    image = spec.image.absolute()
    boot = read_boot_image(image)
    release = boot.release
    modules = _modules_folder(spec.modules.absolute(), release)
    headers = spec.headers.absolute() if spec.headers else None
    if headers is not None:
        _check_headers(headers, release)
    config_path = spec.config.absolute() if spec.config else _find_config(image, headers, release)
    config = read_config(config_path)
    require_livepatch(config, str(image))
    found = {str(path.relative_to(modules)): path for path in _walk_modules(modules)}
    return _stage(
        archive, spec.text, image, boot, config, modules=found, lists=modules, headers=headers,
        beside=(config_path,),
    )  # fmt: skip


def _stage(
    archive: Archive,
    spec: str,
    image: Path,
    boot: BootImage,
    config: dict[str, str],
    *,
    modules: dict[str, Path],
    lists: Path,
    headers: Path | None,
    beside: tuple[Path, ...],
) -> Kernel:
    """Copy a kernel into the cache, keyed by its content, with ``modules.dep``."""
    release = boot.release
    content = identity(
        sha256_file(image),
        *(sha256_file(path) for path in beside),
        _content_of(modules),
    )

    def build(folder: Path) -> None:
        (folder / "boot").mkdir()
        shutil.copyfile(image, folder / f"boot/vmlinuz-{release}")
        target = folder / "lib/modules" / release
        target.mkdir(parents=True)
        for name, path in modules.items():
            copy = target / (name if name.startswith("kernel/") else f"kernel/{name}")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
        for name in _LISTS:
            source = lists / name
            if source.exists():
                shutil.copyfile(source, target / name)
            else:
                (target / name).touch()  # depmod asks for it
        write_modules_dep(folder, release, archive)
        write_record(
            folder,
            Record(
                release=release,
                flavour="",
                arch=boot.architecture.name,
                image=f"boot/vmlinuz-{release}",
                modules=f"lib/modules/{release}",
                identity=content,
                sha256=sha256_file(image),
                source=spec,
                config=config,
            ),
        )

    return kernel_of(
        archive.cache.get(KIND, key_of(release, content), build), spec, headers=headers
    )


def _architecture_of(config: Path) -> Architecture:
    """Return what a tree was configured for; the host's own where that cannot be told."""
    found = of_config(read_config(config)) if config.is_file() else None
    return found or architecture(NATIVE)


def _content_of(modules: dict[str, Path]) -> str:
    digest = hashlib.sha256()
    for name, path in sorted(modules.items()):
        digest.update(f"{name}\0{sha256_file(path)}\n".encode())
    return digest.hexdigest()


def _built_modules(tree: Path) -> Iterator[str]:
    """Yield what ``modules.order`` lists, as paths below the tree (none in an unmodular kernel)."""
    order = tree / "modules.order"
    if not order.exists():
        return
    for line in order.read_text().splitlines():
        # objects (.o) since 6.4, f65a486821cf ("kbuild: change module.order to list *.o instead
        # of *.ko"); a leading kernel/ before 5.11
        name = line.strip().removeprefix("kernel/").removesuffix(".o").removesuffix(".ko") + ".ko"
        if not (tree / name).exists():
            raise InputError(
                f"{tree} lists {name} and does not have it", hint=f"make -C {tree} modules"
            )
        yield name


def _modules_folder(given: Path, release: str) -> Path:
    """Return ``…/lib/modules/RELEASE``, of which a parent may have been given."""
    for folder in (given / "lib/modules" / release, given / release, given):
        if folder.is_dir() and (folder != given or _has_modules(folder)):
            return folder
    if not given.is_dir():
        raise InputError(f"no such folder: {given}", hint="modules= takes …/lib/modules/RELEASE")
    others = sorted(path.name for path in given.iterdir() if (path / "modules.order").exists())
    raise InputError(
        f"{given} has no modules of {release}",
        hint=f"it has those of {', '.join(others)}" if others
        else "modules= takes …/lib/modules/RELEASE",
    )  # fmt: skip


def _has_modules(folder: Path) -> bool:
    return (folder / "modules.order").exists() or next(_walk_modules(folder), None) is not None


def _walk_modules(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        yield from (Path(parent, n) for n in names if n.endswith(_MODULE_SUFFIXES))


def _find_config(image: Path, headers: Path | None, release: str) -> Path:
    candidates = [image.with_name(f"config-{release}"), image.with_name(".config")]
    if headers is not None:
        candidates.append(headers / ".config")
    for path in candidates:
        if path.exists():
            return path
    raise InputError(f"no configuration beside {image}", hint="add config=PATH")


def _check_headers(headers: Path, release: str) -> None:
    if not (headers / "Makefile").exists():
        raise InputError(f"{headers} is not a headers tree: it has no Makefile")
    _check_release(headers, release)


def _check_release(headers: Path, release: str) -> None:
    """Refuse headers that would give modules another release than the image's.

    A module's is ``UTS_RELEASE``; Debian overrides it, so ``kernel.release`` may say another.
    """
    try:
        text = (headers / "include/generated/utsrelease.h").read_text()
    except OSError:
        return  # not prepared yet; kbuild will say so
    found = re.search(r'^#define UTS_RELEASE "([^"]*)"', text, re.MULTILINE)
    if found and found[1] != release:
        raise InputError(
            f"the headers in {headers} are those of {found[1]}, the image is {release}",
            hint="image, modules and headers must come from one build",
        )
