"""The module: tables and entry points by kbuild, the new code by our own linker."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from lpharness.base.errors import BuildError
from lpharness.elf.object import Symbol
from lpharness.elf.object_reader import read_object
from lpharness.elf.writer import save_object
from lpharness.engine import kbuild
from lpharness.engine.compiler import Compiler
from lpharness.engine.emit.link import join
from lpharness.engine.emit.prepare import Prepared

_NAME = re.compile(r"[A-Za-z_.$][\w.$]*", re.ASCII)
_MODULE_NAME = re.compile(r"[\w-]+", re.ASCII)  # may begin with a digit: 8021q
_LONGEST_MODULE = 55  # MODULE_NAME_LEN less the terminator


def emit_module(
    *,
    name: str,
    parts: Sequence[Prepared],
    diff_sha256: str,
    replace: bool,
    headers: Path,
    compiler: Compiler,
    folder: Path,
) -> Path:
    """Write ``NAME.ko``.

    Args:
        name: the module's name.
        parts: what goes in, in the order of their source paths.
        diff_sha256: of the diff, for the module's information.
        replace: whether it replaces all earlier livepatches.
        headers: a prepared headers tree.
        compiler: the kernel's.
        folder: private and empty; the module is left in it.

    Raises:
        BuildError: kbuild refuses the module's frame.
        HostError: tools or space are missing, or the pieces do not fit together.
    """
    require_name(name)
    stand_ins: dict[str, Symbol] = {}
    text = _render(_objects(parts, stand_ins), parts, diff_sha256, replace=replace)
    source = folder / "source" / "livepatch.c"
    source.parent.mkdir()
    source.write_text(text)
    work = folder / "work"
    work.mkdir()
    built = kbuild.compile_module(
        name=name, source=source, headers=headers, compiler=compiler, folder=work, lines=False
    )
    module = read_object(built.module)
    join(module, [one.part for one in parts], stand_ins)
    path = folder / f"{name}.ko"
    save_object(module, path)
    return path


def require_name(name: str) -> None:
    """Refuse what cannot be a module's name.

    Raises:
        BuildError: it cannot.
    """
    if not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII) or len(name) > _LONGEST_MODULE:
        raise BuildError(
            f"{name!r} cannot be a module's name", hint="up to 55 letters, digits and _"
        )


def _objects(parts: Sequence[Prepared], stand_ins: dict[str, Symbol]) -> list[dict[str, Any]]:
    """Return the klp_objects as the template wants them; name a stand-in for each symbol."""
    found: dict[str, dict[str, Any]] = {}
    for one in parts:
        if not one.redirects:
            continue
        klp = found.setdefault(
            one.part.object_name,
            {
                "name": _checked(one.part.object_name, _MODULE_NAME),
                "functions": [],
                "callbacks": {},
            },
        )
        for redirect, symbol in one.redirects:
            stand_in = f"lph_stand_in_{len(stand_ins)}"
            stand_ins[stand_in] = symbol
            klp["functions"].append(
                {"old": _checked(redirect.old), "sympos": redirect.sympos, "stand_in": stand_in}
            )
    for one in parts:
        _add_callbacks(one, found, stand_ins)
    return [found[name] for name in sorted(found, key=lambda name: (name != "vmlinux", name))]


def _add_callbacks(
    one: Prepared, found: dict[str, dict[str, Any]], stand_ins: dict[str, Symbol]
) -> None:
    if one.callbacks and one.part.object_name not in found:
        raise BuildError(
            f"{one.part.source} has callbacks for {one.part.object_name}, of which nothing is "
            "replaced",
            hint="the kernel calls callbacks only for an object whose functions are patched",
        )
    for kind, symbol in one.callbacks.items():
        known = found[one.part.object_name]["callbacks"]
        if kind in known:
            raise BuildError(
                f"{one.part.source}: {one.part.object_name} has a {kind} callback already",
                hint="an object has one callback of a kind: call the others from it",
            )
        stand_in = f"lph_stand_in_{len(stand_ins)}"
        stand_ins[stand_in] = symbol
        known[kind] = {"stand_in": stand_in}


def _checked(name: str, form: re.Pattern[str] = _NAME) -> str:
    """Return a name that is fit to stand in C source: names in objects are any bytes."""
    if not form.fullmatch(name):
        raise BuildError(f"{name!r} is no name that a livepatch can hold")
    return name


def _render(
    objects: list[dict[str, Any]], parts: Sequence[Prepared], diff: str, *, replace: bool
) -> str:
    imports = sorted({_checked(name) for one in parts for name in one.imports})
    return str(_template().render(objects=objects, imports=imports, diff=diff, replace=replace))


@cache
def _template() -> Any:
    text = files(__package__).joinpath("module.c.jinja").read_text()
    # It makes C, not HTML; all that goes in was checked.
    environment = Environment(undefined=StrictUndefined, trim_blocks=True, autoescape=False)  # noqa: S701
    return environment.from_string(text)
