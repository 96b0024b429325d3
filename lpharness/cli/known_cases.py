"""The option ``--case`` of the commands that show the store: flaws to tell of, tried or not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lpharness.cases import Case

ALL = "all"

KnownCases = Annotated[
    list[str] | None,
    typer.Option(
        "--case",
        metavar="CASE|FOLDER|all",
        help="Tell of the flaws that a case heals though it was never tried: a case, a folder of "
        "cases, or all that travel with lpharness. May be repeated.",
    ),
]


def known_cases(names: Sequence[str] | None) -> list[Case]:
    """Read the cases that were named.

    Raises:
        InputError: there is no such case, or its file says something that cannot be.
    """
    from lpharness.cases import load

    return [load(case) for name in names or () for case in _each(name)]


def _each(name: str) -> list[str]:
    from lpharness.cases import FILE_NAME, bundled, cases_in

    if name == ALL:
        return bundled()
    if (Path(name) / FILE_NAME).is_file():
        return [name]
    return [str(folder) for folder in cases_in(Path(name))] or [name]
