"""Where the data that travels with lpharness lies: recipes, programs, cases."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def data_dir(name: str) -> Path:
    """Return the folder ``name`` (``images``, ``kernels``, ``patches``, …) of the bundled data.

    An installed wheel carries it in ``lpharness/_data``; a checkout has it at its top.
    """
    bundled = _PACKAGE / "_data" / name
    return bundled if bundled.is_dir() else _PACKAGE.parent / name
