"""One source for two engines: compiled by numba where it is there, interpreted where it is not.

What carries `compiled` keeps to integers and arrays, so that both give the same figures, bit by bit
(``tests/unit/simulation_engines_test.py`` holds them to it).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import ParamSpec, TypeVar, cast

from lpharness.base.cache import cache_root
from lpharness.base.hashing import identity

_P = ParamSpec("_P")
_R = TypeVar("_R")

INTERPRETED_BY = "LPHARNESS_SIMULATION_INTERPRETED"
"""Set in the environment: interpret even where numba is there."""


def _compiler() -> Callable[[Callable[_P, _R]], Callable[_P, _R]] | None:
    """Return numba's compiler, with a cache for exactly these sources; ``None`` if there is none.

    numba looks only at the file of a function, not at those that it calls, so that a cache beside
    the sources would outlive a change of them.
    """
    if os.environ.get(INTERPRETED_BY) or find_spec("numba") is None:
        return None
    import numba

    sources = sorted(Path(__file__).parent.rglob("*.py"))
    key = identity(numba.__version__, *(path.read_bytes() for path in sources))
    numba.config.CACHE_DIR = str(cache_root() / "simulation" / key)  # type: ignore[attr-defined]
    return cast("Callable[[Callable[_P, _R]], Callable[_P, _R]]", numba.njit(cache=True))


_COMPILER = _compiler()

COMPILES = _COMPILER is not None
"""Whether this process compiles."""


def compiled(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compile a function when it is first called, and keep the result for other processes."""
    return function if _COMPILER is None else _COMPILER(function)
