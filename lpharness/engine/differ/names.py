"""Names as compilers mangle them, and what stays the same when they are compiled again."""

from __future__ import annotations

import re

from lpharness.engine.differ.tables import tables

# GCC numbers its clones and its static locals; a number means nothing in another compilation.
_CLONE = re.compile(r"\.(constprop|isra|part|cold|lto_priv|localalias|ipa_ra)(\.\d+)?(?=\.|$)")
_LLVM = re.compile(r"\.llvm\.\d+")
_NUMBER = re.compile(r"\.\d+$")
_UNIQUE = re.compile(r"^(__UNIQUE_ID_\w*?|__addressable_\w*?|__compound_literal|__quirk)\.?\d+$")
_INITCALL = re.compile(r"^__init(call|stub)__(kmod_\w+?__)\d+_\d+_(\w+)$")
_BTF_ID = re.compile(r"^(__BTF_ID__\w+__)\d+$")
_TEMPORARY = re.compile(r"^\.L\w+")


def stable(name: str) -> str:
    """Return the name without what a compiler numbers afresh each time.

    ``foo.isra.0`` and ``foo.isra.3`` give ``foo.isra``, ``count.12`` gives ``count.#``. What kind
    of clone a function is stays in the name, since its calling convention differs.
    """
    name = _LLVM.sub("", name)
    name = _CLONE.sub(lambda found: "." + found[1], name)
    if found := _INITCALL.match(name):
        return f"__init{found[1]}__{found[2]}{found[3]}"
    if found := _UNIQUE.match(name) or _BTF_ID.match(name):
        return found[1] + "#"
    return _NUMBER.sub(".#", name)


def is_numbered(name: str) -> bool:
    """Whether the compiler numbered this name, so that it may be another's next time."""
    return stable(name) != _LLVM.sub("", name)


def source_name(name: str) -> str:
    """Return the name as it stands in the source: ``foo.constprop.0.cold`` gives ``foo``."""
    if found := _UNIQUE.match(name):
        return found[1]
    return name.partition(".")[0] or name


def parent_name(name: str) -> str | None:
    """Return the function of which GCC split off this ``.cold`` part, or ``None``."""
    found = re.fullmatch(r"(.+)\.cold(\.\d+)?", name)
    return found[1] if found else None


def own_base(name: str, *, writable: bool) -> str | None:
    """Return which macro's static local this is, if a patch brings its own copy of such.

    GCC says ``__warned.5``, clang ``function.__warned`` or ``function.__warned.5``, and of
    ``__func__`` it says ``__func__.function``.
    """
    if _TEMPORARY.match(name):
        return name
    if "." not in name:
        return None  # a variable of a file, not a static local
    own = tables().own
    for known in own.writable if writable else own.constant:
        if re.fullmatch(rf"(\w+\.)?{re.escape(known)}(\.\w+)*", name):
            return known
    return None
