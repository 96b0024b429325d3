"""Who makes the module of a source diff: the project's own engine, or a tool on this host.

All stand behind one contract, `Builder`. The outside ones are used where the user has them, to
compare (`lpharness compare`) and to try what they make in a guest.
"""

from __future__ import annotations

from pathlib import Path

from lpharness.base.errors import InputError
from lpharness.engine.builders.contract import Builder, Order
from lpharness.engine.builders.klp_build import KlpBuild
from lpharness.engine.builders.kpatch import Kpatch
from lpharness.engine.builders.own import Engine
from lpharness.engine.builders.prebuilt import Prebuilt

__all__ = [
    "BUILDERS",
    "Builder",
    "Engine",
    "KlpBuild",
    "Kpatch",
    "Order",
    "Prebuilt",
    "builder_named",
]

BUILDERS = ("engine", "kpatch", "klp-build")
"""The words for those that take a diff."""


def builder_named(name: str, program: Path | None = None) -> Builder:
    """Return the builder that a word of `BUILDERS` stands for.

    Args:
        name: the word.
        program: where an outside builder is, if it is to be looked for nowhere else.

    Raises:
        InputError: there is no such builder.
    """
    if name == "engine":
        return Engine()
    if name == "kpatch":
        return Kpatch(program)
    if name == "klp-build":
        return KlpBuild(program)
    raise InputError(f"no builder {name!r}", hint=f"there are: {', '.join(BUILDERS)}")
