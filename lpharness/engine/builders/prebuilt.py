"""A module that was built elsewhere, behind the builders' contract."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lpharness.base.cache import Cache
from lpharness.base.hashing import sha256_file
from lpharness.base.progress import SILENT, Progress
from lpharness.engine.builders.contract import Order
from lpharness.engine.inspect import inspect
from lpharness.engine.module import Module


@dataclass(frozen=True)
class Prebuilt:
    """Takes a ``.ko`` as it is; what it says of itself is read and held against the kernel."""

    path: Path

    @property
    def name(self) -> str:
        """The word for it."""
        return "prebuilt"

    def build(
        self,
        order: Order,
        *,
        progress: Progress = SILENT,  # noqa: ARG002
        cache: Cache | None = None,  # noqa: ARG002
    ) -> Module:
        """Return the module; see `Builder.build`."""
        inspection = inspect(self.path, order.kernel)
        digest = sha256_file(self.path)
        return Module(
            name=order.name,
            path=self.path,
            sha256=digest,
            source_sha256=digest,
            compiler="",
            inspection=inspection,
            builder=self.name,
            cached=True,
        )
