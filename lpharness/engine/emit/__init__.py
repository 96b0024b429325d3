"""From the differ's answer to a module; ``docs/engine.md`` ("From differ to module") tells how."""

from lpharness.engine.emit.build import NoChange, Refused, build_diff
from lpharness.engine.emit.model import ObjectBuild, PatchBuild, Redirect

__all__ = ["NoChange", "ObjectBuild", "PatchBuild", "Redirect", "Refused", "build_diff"]
