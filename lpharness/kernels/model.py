"""One exact target kernel."""

from __future__ import annotations

import re
from pathlib import Path

from msgspec import Struct

_CHECKERS = ("CONFIG_KASAN", "CONFIG_DEBUG_KMEMLEAK", "CONFIG_PROVE_LOCKING")


class KernelOrigin(Struct, frozen=True, kw_only=True):
    """Where a kernel's files came from."""

    spec: str
    """What the user typed, for example ``debian:6.1-cloud``."""
    package: str = ""
    version: str = ""
    sha256: str = ""
    """Of the image's package, or of the image itself where there is no package."""


class Kernel(Struct, frozen=True, kw_only=True):
    """Release, files and origin of a target; everything in it is on this host's disk."""

    release: str
    """``uname -r``."""
    flavour: str
    """``cloud-amd64``, ``amd64``, ``rt-amd64``; empty where it has none."""
    arch: str
    """Debian's name: ``amd64``."""
    image: Path
    """bzImage (or whatever the architecture boots)."""
    modules: Path
    """``…/lib/modules/RELEASE`` with ``modules.dep``."""
    config: dict[str, str]
    """``CONFIG_X`` to its value (``y``, ``m``, a number, an unquoted string); unset ones absent."""
    origin: KernelOrigin
    identity: str
    """Content identity: equal kernels have equal identities, and nothing else has."""
    headers: Path | None = None
    """A prepared headers tree for kbuild (``make -C``), once asked for: `with_headers`."""

    @property
    def checks_itself(self) -> bool:
        """Whether each allocation or lock is written down with its stack: costs a multiple."""
        return any(self.config.get(option) == "y" for option in _CHECKERS)

    @property
    def rewrites_calls(self) -> bool:
        """Whether each end of a transition rewrites the calls of ``cond_resched`` everywhere.

        Since 6.3 (``sched_dynamic_klp_enable``, kernel/sched/core.c), where preemption can be
        chosen at boot.
        """
        found = re.match(r"(\d+)\.(\d+)", self.release)
        since = found is not None and (int(found[1]), int(found[2])) >= (6, 3)
        return since and self.config.get("CONFIG_PREEMPT_DYNAMIC") == "y"
