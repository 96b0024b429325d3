"""What changed in a file between two source packages, as a diff: a fix as it was shipped."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from lpharness.archive import Archive
from lpharness.base.errors import InputError
from lpharness.base.progress import SILENT, Progress
from lpharness.sources.diff import tree_path
from lpharness.sources.package import unpack_source


def delta(
    old_version: str,
    new_version: str,
    paths: str | Sequence[str],
    *,
    archive: Archive | None = None,
    progress: Progress = SILENT,
) -> str:
    """Return the unified diff of files between two versions of Debian's kernel source.

    Args:
        old_version: of ``linux-source-*``, for example ``6.1.192-1``.
        new_version: likewise.
        paths: files of the tree, such as ``fs/ext4/mballoc.c``.
        archive: where the packages are.
        progress: told of downloads and unpacking.

    Raises:
        InputError: a version is not in the archive, neither has the file, or nothing changed.
        HostError: a package cannot be fetched or unpacked.
    """
    archive = archive or Archive(progress=progress)
    names = [tree_path(name) for name in ([paths] if isinstance(paths, str) else paths)]
    old, new = (
        unpack_source(version, archive, progress=progress) for version in (old_version, new_version)
    )
    text = "".join(_file_delta(old, new, name) for name in names)
    if not text:
        raise InputError(
            f"{', '.join(names)}: the same in {old_version} and {new_version}",
            hint="is it the right file, and are these the right versions?",
        )
    return text


def _file_delta(old: Path, new: Path, name: str) -> str:
    if not (old / name).exists() and not (new / name).exists():
        raise InputError(f"neither version has {name}")
    before, after = _lines(old / name), _lines(new / name)
    diff = difflib.unified_diff(
        before,
        after,
        f"a/{name}" if (old / name).exists() else "/dev/null",
        f"b/{name}" if (new / name).exists() else "/dev/null",
    )
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in diff
    )


def _lines(path: Path) -> list[str]:
    if not path.exists():
        return []
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    # Only line feeds part lines in a diff; splitlines() would also split at form feeds.
    *lines, rest = text.split("\n")
    return [line + "\n" for line in lines] + ([rest] if rest else [])
