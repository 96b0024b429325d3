"""Bundles as folders and as tar files: the same files give the same bytes."""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from lpharness.base.errors import InputError

_LARGEST = 4 << 30  # bytes, all files together; a bundle has a few megabytes
_MOST = 100_000  # files


def pack(folder: Path, path: Path, name: str) -> None:
    """Write a folder into a tar file, as a folder of that name.

    Names are sorted, and there is no time, owner or mode of this machine in it.
    """
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            member = tarfile.TarInfo(f"{name}/{file.relative_to(folder)}")
            member.size = file.stat().st_size
            member.mode = 0o644
            with file.open("rb") as content:
                tar.addfile(member, content)


def unpack(bundle: Path, folder: Path) -> None:
    """Copy a bundle's files into a folder, whether it is a folder or a tar file.

    Raises:
        InputError: it is neither, is cut short, or holds what no bundle has: a link, a device, a
            path that leads out of it.
    """
    try:
        if bundle.is_dir():
            _copy(bundle, folder)
        else:
            _extract(bundle, folder)
    except (tarfile.TarError, EOFError) as error:
        raise InputError(f"{bundle} is cut short, or no tar file: {error}") from error
    except OSError as error:
        raise InputError(f"cannot read {bundle}: {error.strerror or error}") from error


def _copy(bundle: Path, folder: Path) -> None:
    for place, folders, files in os.walk(bundle):
        for path in (Path(place, name) for name in [*folders, *files]):
            if path.is_symlink() or not (path.is_dir() or path.is_file()):
                raise InputError(f"{path} is no plain file", hint="a bundle holds no links")
        for file in (Path(place, name) for name in files):
            target = folder / file.relative_to(bundle)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)


def _extract(bundle: Path, folder: Path) -> None:
    with tarfile.open(bundle, "r:") as tar:
        for member in _plain(bundle, tar):
            _, *parts = PurePosixPath(member.name).parts  # the first is the bundle's own name
            target = folder.joinpath(*parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            content = tar.extractfile(member)
            assert content is not None
            with target.open("xb") as file:
                shutil.copyfileobj(content, file)


def _plain(bundle: Path, tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Yield the files of a tar; refuse what is not one, or would be written elsewhere."""
    total, seen = 0, set[str]()
    for member in tar:
        parts = PurePosixPath(member.name).parts
        total += member.size
        if member.isdir():
            continue
        if not member.isreg() or len(parts) < 2 or parts[0] == "/" or ".." in parts:
            raise InputError(f"{bundle} holds {member.name!r}, which no bundle has")
        if member.name in seen or total > _LARGEST or len(seen) > _MOST:
            raise InputError(f"{bundle} holds {member.name!r} twice, or is far too large")
        seen.add(member.name)
        yield member
