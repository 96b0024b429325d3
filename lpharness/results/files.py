"""Writing a file whole or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from lpharness.base.errors import HostError

ASIDE = ".lpharness-tmp-"
"""How the name of a file begins that is not yet in its place."""


def write_atomically(path: Path, data: bytes | str | Iterable[bytes]) -> Path:
    """Write ``data``, whole or piece by piece, as `written_aside` does.

    Raises:
        HostError: no space left, or the folder cannot be written.
    """
    whole = data.encode() if isinstance(data, str) else data
    with written_aside(path) as file:
        file.writelines([whole] if isinstance(whole, bytes) else whole)
    return path


@contextmanager
def written_aside(path: Path) -> Iterator[BinaryIO]:
    """Open a file aside; flush it to the disk and rename it to ``path`` when all is written.

    A reader, and whoever comes after a ``kill -9`` or a power cut, sees the old file or the new
    one, never a part.

    Raises:
        HostError: no space left, or the folder cannot be written.
    """
    try:
        handle, aside = tempfile.mkstemp(prefix=ASIDE, dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
                file.flush()
                os.fchmod(file.fileno(), 0o644)  # mkstemp's 0600 would hide reports from others
                os.fsync(file.fileno())
            Path(aside).replace(path)
        except BaseException:
            with suppress(OSError):
                Path(aside).unlink()
            raise
        _sync_folder(path.parent)
    except OSError as error:
        hint = "free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else None
        raise HostError(f"cannot write {path}: {error.strerror}", hint=hint) from error


def _sync_folder(folder: Path) -> None:
    """Make the rename itself last; some file systems refuse to, which costs only that."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)
