"""Profiles: kernel, configuration and toolchain as one thing with a name, in a data file."""

from __future__ import annotations

import tomllib
from difflib import get_close_matches

import msgspec
from msgspec import Struct

from lpharness.base.errors import InputError
from lpharness.base.resources import data_dir

_FILE = "profiles.toml"


class Profile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of them."""

    title: str
    kernel: str
    """What it is named by: ``debian:6.1-cloud``, ``built:6.1-small-gcc-12``."""
    toolchain: str
    """What it was built with: ``gcc-12``, ``clang-14``."""
    unfit: dict[str, str] = {}
    """Bundled cases that mean nothing on it, and why."""


def profiles() -> dict[str, Profile]:
    """Return all there are, in the file's order."""
    data = tomllib.loads((data_dir("kernels") / _FILE).read_text())
    return msgspec.convert(data, dict[str, Profile])


def find_profile(name: str) -> Profile:
    """Return the profile of that name.

    Raises:
        InputError: there is none.
    """
    known = profiles()
    if name not in known:
        near = get_close_matches(name, known, 1)
        raise InputError(
            f"no profile {name!r}",
            hint=f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}",
        )
    return known[name]
