"""Kernels of our own recipe, once they are built: ``built:6.1-small``, ``built:6.1-debug-clang``.

`lpharness.sources.kernel_build` puts them into the cache; naming one never builds it, since that
takes minutes.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct

from lpharness.archive import Archive
from lpharness.archive.version import version_key
from lpharness.base.architecture import architecture
from lpharness.base.cache import Cache
from lpharness.base.errors import InputError
from lpharness.base.hashing import identity
from lpharness.kernels.configurations import Configuration, configuration
from lpharness.kernels.files import resolve_tree
from lpharness.kernels.model import Kernel
from lpharness.kernels.spec import BuiltSpec, TreeSpec

KIND = "built"
"""An entry is the tree that the kernel was built in; nothing is written there any more."""
_RECORD = "lpharness-built.json"
_RECIPE = 1
"""Part of every entry's key: raise it when a change of the build's code changes what comes out."""


class Built(Struct, frozen=True, kw_only=True):
    """What is known of a kernel of our own."""

    spec: str
    """What names it: ``built:6.1-small-gcc-12``."""
    release: str
    """``uname -r``."""
    version: str
    """Of ``linux-source-*``, for example ``6.1.192-2``."""
    recipe: str
    """Identity of the configuration and of how it is built."""
    compiler: str
    """First line of its ``--version``."""
    seconds: float
    """How long the last go at it took, beside whatever other work there was."""
    cpu_seconds: float = 0.0
    """Processors' time of make and its compilers in that go; other work hardly changes it."""
    image_bytes: int


def recipe_identity(wanted: Configuration) -> str:
    """Return the identity of a configuration and of how a kernel is made of it."""
    return identity(_RECIPE, wanted.name, wanted.text, *wanted.diffs)


def name_of(config: str, arch: str, toolchain: str) -> str:
    """Return what such a kernel is called, but for its series: ``small-ppc64el-gcc-12``."""
    parts = (config, toolchain) if architecture(arch).native else (config, arch, toolchain)
    return "-".join(parts)


def write_built(entry: Path, record: Built) -> None:
    """Put the record into an entry that is being made."""
    (entry / _RECORD).write_bytes(msgspec.json.encode(record))


def read_built(entry: Path) -> Built | None:
    """Return the record of an entry, or ``None`` if it has none that this version can read."""
    try:
        return msgspec.json.decode((entry / _RECORD).read_bytes(), type=Built)
    except (OSError, msgspec.DecodeError):
        return None


def resolve_built(spec: BuiltSpec, archive: Archive) -> Kernel:
    """Return the newest kernel of that name in the cache.

    Raises:
        InputError: none was built, or only from another configuration than today's.
    """
    family = spec.toolchain.partition("-")[0]
    recipe = recipe_identity(configuration(spec.config, spec.series, family, spec.arch))
    found = [(entry, record) for entry, record in _entries(archive.cache) if _fits(record, spec)]
    current = [(entry, record) for entry, record in found if record.recipe == recipe]
    if not current:
        raise InputError(
            f"{spec.text} is built of an older recipe than today's"
            if found
            else f"{spec.text} is not built",
            hint=f"lpharness kernels build --source debian:{spec.series} --config {spec.config} "
            + ("" if architecture(spec.arch).native else f"--arch {spec.arch} ")
            + f"--toolchain {spec.toolchain}",
        )
    entry, record = max(current, key=lambda item: version_key(item[1].version))
    archive.cache.find(KIND, entry.name)
    kernel = resolve_tree(TreeSpec(record.spec, entry), archive)
    origin = msgspec.structs.replace(kernel.origin, version=record.version)
    return msgspec.structs.replace(kernel, origin=origin)


def _entries(cache: Cache) -> list[tuple[Path, Built]]:
    pairs = [(entry, read_built(entry)) for entry in cache.entries(KIND)]
    return [(entry, record) for entry, record in pairs if record is not None]


def _fits(record: Built, spec: BuiltSpec) -> bool:
    """Say whether a record is of what a spec names; ``clang`` alone is any clang."""
    wanted = f"built:{spec.series}-{name_of(spec.config, spec.arch, spec.toolchain)}"
    return record.spec == wanted or record.spec.startswith(f"{wanted}-")
