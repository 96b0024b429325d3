"""Telling whether the files of a folder are still what they were when it was made.

Disks lie, and people edit: a module that was damaged in the cache would be blamed on the patch.
"""

from __future__ import annotations

import json
from pathlib import Path

from lpharness.base.hashing import sha256_file

_SEAL = ".sha256"


def seal(folder: Path) -> None:
    """Write down what the files right in a folder are."""
    sums = {file.name: sha256_file(file) for file in _files(folder)}
    (folder / _SEAL).write_text(json.dumps(sums, sort_keys=True) + "\n")


def seal_holds(folder: Path) -> bool:
    """Tell whether no file was changed, lost or added; a folder without a seal is believed."""
    try:
        sums = json.loads((folder / _SEAL).read_bytes())
        return bool(sums == {file.name: sha256_file(file) for file in _files(folder)})
    except FileNotFoundError:
        return not (folder / _SEAL).exists()
    except (OSError, ValueError):
        return False


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file() and path.name != _SEAL)
