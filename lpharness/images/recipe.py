"""Recipes: what goes into a guest's root file system, as data in ``images/recipes/*.toml``."""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path

import msgspec
from msgspec import Struct, field

from lpharness.base.errors import InputError
from lpharness.base.resources import data_dir


class Recipe(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One recipe file."""

    title: str
    packages: tuple[str, ...]
    """Debian packages; what they depend on comes along."""
    keep: tuple[str, ...] = ()
    """Patterns of paths; where given, nothing else of the packages is kept, but for the shared
    libraries that the kept programs need."""
    drop: tuple[str, ...] = ()
    """Patterns of paths that are left out, with all below them."""
    links: dict[str, str] = field(default_factory=dict)
    """Link to its target: what maintainer scripts (``update-alternatives``) would have made."""
    overlays: tuple[str, ...] = ("common",)
    """Folders beside the recipe, or in ``images/overlays``, laid over the packages, in order."""
    programs: tuple[str, ...] = ()
    """C programs of ``images/programs`` besides init, put into ``/lph``."""
    applets: bool = False
    """Whether busybox also serves as every program that it can be and no package has."""
    memory_mb: int = 256
    """Least memory a guest needs beside what the image itself takes."""


def recipe_names() -> list[str]:
    """Return the names of the bundled recipes."""
    return sorted(path.stem for path in (data_dir("images") / "recipes").glob("*.toml"))


def load_recipe(name_or_path: str) -> tuple[str, Path, Recipe]:
    """Return name, folder and content of a recipe: a bundled name, or the path of a ``.toml``.

    Raises:
        InputError: there is no such recipe, or the file is not as `Recipe` says.
    """
    if name_or_path.endswith(".toml"):
        path = Path(name_or_path)
    else:
        path = data_dir("images") / "recipes" / f"{name_or_path}.toml"
        if name_or_path not in recipe_names():
            near = difflib.get_close_matches(name_or_path, recipe_names(), n=1, cutoff=0.4)
            raise InputError(
                f"no image recipe {name_or_path!r}; there are {', '.join(recipe_names())}",
                hint=f"did you mean {near[0]!r}?" if near else "or give the path of a .toml",
            )
    return path.stem, path.parent, decode_recipe(path)


def decode_recipe(path: Path) -> Recipe:
    """Read one recipe file; see `load_recipe`."""
    try:
        return msgspec.convert(tomllib.loads(path.read_text()), Recipe)
    except OSError as error:
        raise InputError(f"cannot read the recipe {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise InputError(f"{path}: {error}", hint=_nearest_key(str(error))) from error


def _nearest_key(message: str) -> str | None:
    unknown = re.search(r"unknown field `(.+?)`", message)
    if not unknown:
        return None
    near = difflib.get_close_matches(unknown[1], Recipe.__struct_fields__, n=1, cutoff=0.5)
    known = ", ".join(Recipe.__struct_fields__)
    return f"did you mean {near[0]!r}?" if near else f"the keys are {known}"
