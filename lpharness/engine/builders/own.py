"""The project's own engine behind the builders' contract."""

from __future__ import annotations

from dataclasses import dataclass

from lpharness.base.cache import Cache
from lpharness.base.hashing import sha256_file
from lpharness.base.progress import SILENT, Progress
from lpharness.engine.builders.contract import Order
from lpharness.engine.emit import PatchBuild, build_diff
from lpharness.engine.module import Module
from lpharness.engine.objects.plan import MOST_UNITS


@dataclass(frozen=True, kw_only=True)
class Engine:
    """Compiles only what the diff touches, and proves its base; the fields are `build_diff`'s."""

    force_base: bool = False
    most_units: int = MOST_UNITS
    allow: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The word for it."""
        return "engine"

    def build(
        self, order: Order, *, progress: Progress = SILENT, cache: Cache | None = None
    ) -> Module:
        """Return the module; see `Builder.build` and `build_diff`."""
        path, patch, inspection = build_diff(
            order.diff, order.kernel, name=order.name, base=order.base, replace=order.replace,
            force_base=self.force_base, most_units=self.most_units, allow=self.allow,
            progress=progress, cache=cache,
        )  # fmt: skip
        return Module(
            name=order.name,
            path=path,
            sha256=sha256_file(path),
            source_sha256=patch.diff_sha256,
            compiler=patch.compiler,
            inspection=inspection,
            builder=self.name,
            warnings=_said(patch),
            seconds=round(sum(timing.seconds for timing in patch.timings), 3),
            cached=patch.cached,
            patch=patch,
        )


def _said(patch: PatchBuild) -> str:
    """Return what the user should know of a patch's making."""
    lines = [*patch.notes]
    for one in patch.objects:
        lines += [*one.notes, *one.report.warnings, *filter(None, [one.warnings])]
    return "\n".join(lines)
