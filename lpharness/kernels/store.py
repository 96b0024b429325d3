"""Kernels in the cache: ``kernels/RELEASE-IDENTITY/`` with ``kernel.json`` beside the files."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct

from lpharness.base.cache import Cache
from lpharness.base.errors import InputError
from lpharness.kernels.model import Kernel, KernelOrigin

KIND = "kernels"
_RECORD = "kernel.json"


class Record(Struct, frozen=True, kw_only=True):
    """What is known of a cached kernel; paths are relative to its entry."""

    release: str
    flavour: str
    arch: str
    image: str
    modules: str
    identity: str
    package: str = ""
    version: str = ""
    sha256: str = ""
    source: str = ""
    """Where it came from, for people: an archive's address, a folder."""
    download_size: int = 0
    config: dict[str, str]


def key_of(release: str, identity: str) -> str:
    """Return the key of a kernel's entries, in every kind that has one entry for each kernel."""
    return f"{release}-{identity}"


def write_record(folder: Path, record: Record) -> None:
    """Put the record into an entry that is being built."""
    (folder / _RECORD).write_bytes(msgspec.json.encode(record))


def read_record(entry: Path) -> Record | None:
    """Return the record of an entry, or ``None`` if it has none that this version can read."""
    try:
        return msgspec.json.decode((entry / _RECORD).read_bytes(), type=Record)
    except (OSError, msgspec.DecodeError):
        return None


def kernel_of(entry: Path, spec: str, *, headers: Path | None = None) -> Kernel:
    """Return the kernel of a whole entry, as asked for by ``spec``."""
    record = read_record(entry)
    if record is None:
        raise InputError(f"the cached kernel {entry} is damaged", hint=f"remove it: rm -r {entry}")
    return Kernel(
        release=record.release,
        flavour=record.flavour,
        arch=record.arch,
        image=entry / record.image,
        modules=entry / record.modules,
        config=record.config,
        origin=KernelOrigin(
            spec=spec, package=record.package, version=record.version, sha256=record.sha256
        ),
        identity=record.identity,
        headers=headers,
    )


def cached_entries(cache: Cache) -> list[tuple[Path, str]]:
    """Return the cached kernels as (entry, release), most recently used first."""
    return [(entry, entry.name.rpartition("-")[0]) for entry in cache.entries(KIND)]


def require_livepatch(config: dict[str, str], what: str) -> None:
    """Refuse a kernel that cannot be patched live.

    Raises:
        InputError: ``CONFIG_LIVEPATCH`` is not set.
    """
    if config.get("CONFIG_LIVEPATCH") != "y":
        raise InputError(
            f"{what} was built without CONFIG_LIVEPATCH",
            hint="set LIVEPATCH, FTRACE and KALLSYMS_ALL in its .config and build it again",
        )
