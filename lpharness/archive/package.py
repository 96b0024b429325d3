"""One binary package, as an index (or the package file itself) describes it."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct


class Package(Struct, frozen=True, kw_only=True):
    """A binary package that can be downloaded and verified.

    Relationship fields keep the archive's own syntax (Debian Policy, chapter 7).
    """

    name: str
    version: str
    arch: str
    size: int
    """Bytes of the ``.deb``."""
    sha256: str
    """Of the ``.deb``, from the signed index; computed for a file the user handed over."""
    uri: str
    """Where the ``.deb`` is; empty for one from the user's folder."""
    origin: str
    """Where the description comes from: ``URL SUITE/COMPONENT``, or the user's folder."""
    installed_size: int = 0
    """Bytes once unpacked, as the packager estimated them."""
    source: str = ""
    priority: str = "optional"
    essential: bool = False
    depends: str = ""
    pre_depends: str = ""
    provides: str = ""
    automatic: bool = True
    """False if the suite asks not to be drawn from unless named (``NotAutomatic``: backports)."""
    path: Path | None = None
    """The ``.deb`` itself, where the user handed it over."""
