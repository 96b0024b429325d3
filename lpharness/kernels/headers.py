"""A kernel's headers as one tree that kbuild builds external modules from, without root.

Debian splits them into a flavour's part, a common part and the build tools, and ties them together
by symbolic links that are relative and one ``include`` line that is not.
"""

from __future__ import annotations

import re
from pathlib import Path

from lpharness.archive import Archive, Package
from lpharness.archive.control import Relation, parse_relations
from lpharness.base.errors import HostError, InputError
from lpharness.kernels.model import Kernel
from lpharness.kernels.store import key_of

KIND = "headers"
_INCLUDE = re.compile(r"^include /usr/src/([^/\s]+)/Makefile$", re.MULTILINE)


def cached_headers(kernel: Kernel, archive: Archive) -> Path | None:
    """Return the headers tree of a kernel if it is in the cache."""
    entry = archive.cache.find(KIND, key_of(kernel.release, kernel.identity))
    return _tree(entry, kernel.release) if entry else None


def fetch_headers(kernel: Kernel, archive: Archive) -> Path:
    """Return the headers tree of a kernel from Debian, fetched and put together if need be.

    Raises:
        InputError: the archive has no headers of that kernel's very version.
        HostError: they cannot be fetched.
    """
    if found := cached_headers(kernel, archive):
        return found
    packages = _packages(kernel, archive)

    def build(folder: Path) -> None:
        for package in packages:
            archive.unpack_into(package, folder)
        _tie_together(_tree(folder, kernel.release))

    entry = archive.cache.get(KIND, key_of(kernel.release, kernel.identity), build)
    return _tree(entry, kernel.release)


def _tree(entry: Path, release: str) -> Path:
    return entry / "usr/src" / f"linux-headers-{release}"


def _packages(kernel: Kernel, archive: Archive) -> list[Package]:
    name = f"linux-headers-{kernel.release}"
    found = archive.find(name)
    flavour = next((p for p in found if p.version == kernel.origin.version), None)
    if flavour is None:
        there = f" (only {', '.join(p.version for p in found)})" if found else ""
        raise InputError(
            f"the archive has no {name} {kernel.origin.version}{there}, so nothing can be built "
            f"for {kernel.release}",
            hint="take a newer kernel (`lpharness kernels list`), or name the packages with "
            "`lpharness kernels fetch --debs DIR` or --mirror URL",
        )
    return [flavour, *_parts(flavour, archive)]


def _parts(flavour: Package, archive: Archive) -> list[Package]:
    """Return the packages that the flavour's headers are put together with."""
    wanted = [
        clause[0]
        for clause in parse_relations(flavour.depends)
        if clause[0].name.startswith(("linux-headers-", "linux-kbuild-"))
    ]
    return [_part(flavour, relation, archive) for relation in wanted]


def _part(flavour: Package, wanted: Relation, archive: Archive) -> Package:
    fitting = [p for p in archive.find(wanted.name) if wanted.accepts(p.version)]
    exact = [p for p in fitting if p.version == flavour.version]
    if not fitting:
        raise InputError(
            f"{flavour.name} needs {wanted}, which the archive does not have",
            hint="name the package with `lpharness kernels fetch --debs DIR` or --mirror URL",
        )
    return (exact or fitting)[0]


def _tie_together(tree: Path) -> None:
    makefile = tree / "Makefile"
    text, count = _INCLUDE.subn(
        r"include $(dir $(lastword $(MAKEFILE_LIST)))../\1/Makefile", makefile.read_text()
    )
    if count != 1:
        raise HostError(f"cannot make {tree.name} relocatable: unknown form of its Makefile")
    makefile.write_text(text)
    # Packages since 6.12 carry the kernel's BTF as "vmlinux". kbuild would then call pahole for
    # each module, which few hosts have; without it the module is the same on every host.
    btf = tree / "vmlinux"
    if btf.exists():
        btf.rename(tree / "vmlinux.btf")
