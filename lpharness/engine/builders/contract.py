"""What every builder of livepatch modules must do, whichever tool it stands for.

`tests/vm/builder_contract.py` is the suite that each of them inherits.
"""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from lpharness.base.cache import Cache
from lpharness.base.progress import SILENT, Progress
from lpharness.engine.module import Module
from lpharness.kernels.model import Kernel


class Order(Struct, frozen=True, kw_only=True):
    """What a builder is asked for."""

    kernel: Kernel
    name: str
    """The module's, as the kernel will know it."""
    diff: str = ""
    """One unified diff or several: untrusted text. A prebuilt module needs none."""
    base: str = ""
    """The diff of a livepatch that is on before, and that this one replaces: ``diff`` is one of the
    tree after it."""
    replace: bool = False
    """Whether it is to replace all earlier livepatches."""


class Builder(Protocol):
    """Makes a livepatch module for a kernel, or says why it cannot."""

    @property
    def name(self) -> str:
        """The word for it on the command line and in ``case.toml``."""

    def build(
        self, order: Order, *, progress: Progress = SILENT, cache: Cache | None = None
    ) -> Module:
        """Return the module, from the cache if the same was built before.

        The user's own files are left as they are, and a failure leaves nothing behind.

        Raises:
            NoChange: the diff changes nothing in the code.
            InputError: the diff is no diff, leaves the tree, does not apply or is refused; or the
                builder cannot do this kernel.
            BuildError: it does not compile, or the builder gave up.
            HostError: the builder, another tool or space is missing.
        """
