"""Package files in a folder that the user names."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

from lpharness.archive.control import fields, parse_relations
from lpharness.archive.package import Package
from lpharness.archive.process import ToolFailed, run_tool
from lpharness.base.errors import InputError
from lpharness.base.hashing import sha256_file


class LocalPackages:
    """The ``.deb`` files of one folder, trusted because the user handed them over."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise InputError(
                f"no such folder: {folder}", hint="--debs takes a folder with .deb files"
            )
        self.folder = folder
        self._controls: dict[Path, dict[str, str]] | None = None

    def find(self, pattern: str) -> list[Package]:
        """Return the packages whose name matches a shell pattern."""
        return [
            self._package(path, control)
            for path, control in self._read().items()
            if fnmatchcase(control["Package"], pattern)
        ]

    def providers(self, name: str) -> list[Package]:
        """Return the packages that provide the virtual package ``name``."""
        return [
            self._package(path, control)
            for path, control in self._read().items()
            if any(name == p[0].name for p in parse_relations(control.get("Provides", "")))
        ]

    def _read(self) -> dict[Path, dict[str, str]]:
        if self._controls is None:
            self._controls = {path: _control(path) for path in sorted(self.folder.glob("*.deb"))}
        return self._controls

    def _package(self, path: Path, control: dict[str, str]) -> Package:
        return Package(
            name=control["Package"],
            version=control["Version"],
            arch=control["Architecture"],
            size=path.stat().st_size,
            sha256=sha256_file(path),
            uri="",
            origin=str(self.folder),
            installed_size=int(control.get("Installed-Size", "0")) * 1024,
            source=control.get("Source", control["Package"]).partition(" ")[0],
            priority=control.get("Priority", "optional"),
            essential=control.get("Essential") == "yes",
            depends=control.get("Depends", ""),
            pre_depends=control.get("Pre-Depends", ""),
            provides=control.get("Provides", ""),
            path=path.resolve(),
        )


def _control(path: Path) -> dict[str, str]:
    try:
        control = fields(
            run_tool(["dpkg-deb", "-f", str(path)], seconds=60, what=f"read {path}").decode()
        )
    except ToolFailed as error:
        raise InputError(error.message, hint="it is no Debian package, or cut short") from error
    if not control.keys() >= {"Package", "Version", "Architecture"}:
        raise InputError(f"{path} lacks a name, version or architecture")
    return control
