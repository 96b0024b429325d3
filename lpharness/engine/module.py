"""A built livepatch module, with what was read out of it and how it was built."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from lpharness.engine.emit import PatchBuild
from lpharness.engine.inspect import Inspection


class Module(Struct, frozen=True, kw_only=True):
    """A livepatch module, ready to be loaded into the kernel it was built for."""

    name: str
    path: Path
    sha256: str
    source_sha256: str
    """Of everything that was given to the build."""
    compiler: str
    """First line of the compiler's ``--version``; empty for a prebuilt module."""
    inspection: Inspection
    builder: str = ""
    """What made it: ``kbuild`` (from C), ``engine``, ``kpatch``, ``klp-build`` or ``prebuilt``."""
    tool: str = ""
    """The version of an outside builder."""
    warnings: str = ""
    """What the compiler and kbuild said though the build went well."""
    seconds: float = 0.0
    """How long an outside builder took when it made the module."""
    cached: bool = False
    """Whether it had been built before."""
    patch: PatchBuild | None = None
    """Where it comes from, if the engine made it of a source diff."""
