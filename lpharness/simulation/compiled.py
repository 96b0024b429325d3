"""One source for two engines: compiled by numba where it is there, interpreted where it is not.

What carries `compiled` keeps to integers and arrays, so that both give the same figures, bit by bit
(``tests/unit/simulation_engines_test.py`` holds them to it).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from lpharness.base.cache import cache_root
from lpharness.base.hashing import identity

_P = ParamSpec("_P")
_R = TypeVar("_R")

INTERPRETED_BY = "LPHARNESS_SIMULATION_INTERPRETED"
"""Set in the environment: interpret even where numba is there."""


def _prepare() -> bool:
    """Return whether there is a compiler; give it a cache for exactly these sources.

    numba looks only at the file of a function, not at those that it calls, so that a cache beside
    the sources would outlive a change of them.
    """
    if os.environ.get(INTERPRETED_BY) or find_spec("numba") is None:
        return False
    import numba

    sources = sorted(Path(__file__).parent.rglob("*.py"))
    key = identity(numba.__version__, *(path.read_bytes() for path in sources))
    numba.config.CACHE_DIR = str(cache_root() / "simulation" / key)  # type: ignore[attr-defined]
    return True


COMPILES = _prepare()
"""Whether this process compiles."""


def compiled(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compile a function for those that are compiled; Python itself cannot call it then.

    A door for Python would have to take the whole machine apart, and take longer to compile than
    the function. Nor do they count references: whoever calls the entry holds the machine's arrays
    until it is done, and counting each array at each call took three quarters of the time. What is
    left of a call, the handing over of all arrays, took three quarters of the rest: each is drawn
    into its callers.
    """
    return _compiled(function, inline=True)


def compiled_apart(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compile a function so, for what is seldom called: its callers compile faster without it."""
    return _compiled(function, inline=False)


def _compiled(function: Callable[_P, _R], *, inline: bool) -> Callable[_P, _R]:
    if not COMPILES:
        return function
    import numba

    njit: Any = numba.njit  # its types do not tell of these options
    compiler = njit(
        cache=True,
        no_cpython_wrapper=True,
        no_cfunc_wrapper=True,
        _nrt=False,
        forceinline=inline,
    )
    return cast("Callable[_P, _R]", compiler(function))


def compiled_entry(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compile a function, and keep the result for other processes; Python can call it."""
    if not COMPILES:
        return function
    import numba

    return cast("Callable[_P, _R]", numba.njit(cache=True)(function))
