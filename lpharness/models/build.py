"""The module of a model for a kernel, built once for the same content."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
from msgspec import Struct

from lpharness.base.architecture import require_everything
from lpharness.base.cache import Cache
from lpharness.base.errors import BuildError
from lpharness.base.hashing import identity, sha256_file
from lpharness.base.progress import SILENT, Progress
from lpharness.base.resources import data_dir
from lpharness.engine import kbuild
from lpharness.engine.compiler import find_compiler
from lpharness.kernels import with_headers
from lpharness.kernels.model import Kernel
from lpharness.models.catalog import model_sources

NAME = "lph_models"
"""Of the module, whichever model is linked in: only one is loaded at a time."""
ENABLE = "lph_enable_patch"
"""What it exports in place of ``klp_enable_patch``."""

_KIND = "model-modules"
_FACTS = "build.json"


class Core(Struct, frozen=True, kw_only=True):
    """``lph_models.ko`` with one model in it."""

    path: Path
    crc: int | None
    """Of `ENABLE`'s type, which who imports it must name; ``None`` without MODVERSIONS."""


class _Facts(Struct, frozen=True):
    crc: int | None


def build_core(model: str, kernel: Kernel, progress: Progress = SILENT) -> Core:
    """Return the module of a model for a kernel, from the cache if the same was built before.

    Raises:
        InputError: not for the kernel's architecture.
        BuildError: it does not compile for this kernel, or the fitting compiler is not installed.
        HostError: tools or space are missing.
    """
    require_everything(kernel.arch, f"the model {model}")
    compiler = find_compiler(kernel)
    sources, headers = _files(model)
    content = (f"{file.name} {sha256_file(file)}" for file in (*sources, *headers))
    key = identity(kbuild.RECIPE, kernel.identity, compiler.version, *content)

    def build(folder: Path) -> None:
        tree = with_headers(kernel, progress=progress).headers
        if tree is None:
            raise BuildError(f"{kernel.release}: no headers to build the module of {model} with")
        work = folder / "work"
        work.mkdir()
        with progress.step(f"building the module of {model} for {kernel.release}"):
            module = kbuild.compile_linked(
                name=NAME,
                sources=sources,
                extra=headers,
                headers=tree,
                compiler=compiler,
                folder=work,
            )
        facts = _Facts(_crc(work / "Module.symvers"))
        (folder / _FACTS).write_bytes(msgspec.json.encode(facts))
        module.rename(folder / module.name)
        shutil.rmtree(work)

    entry = Cache().get(_KIND, f"{model}-{key}", build, sealed=True)
    facts = msgspec.json.decode((entry / _FACTS).read_bytes(), type=_Facts)
    return Core(path=entry / f"{NAME}.ko", crc=facts.crc)


def _files(model: str) -> tuple[list[Path], list[Path]]:
    """Return the C files to be linked, the model's own the last, and the headers beside them."""
    folder, models = data_dir("models"), model_sources()
    common = sorted(file for file in folder.glob("*.c") if file.stem not in models)
    return [*common, models[model]], sorted(folder.glob("*.h"))


def _crc(symvers: Path) -> int | None:
    """Return what kbuild says of the exported function: ``0xCRC NAME MODULE KIND``."""
    for line in symvers.read_text().splitlines():
        crc, name, *_ = line.split("\t")
        if name == ENABLE:
            return int(crc, 16) or None
    return None
