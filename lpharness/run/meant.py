"""Which kernels a case is meant for."""

from __future__ import annotations

from fnmatch import fnmatch

from lpharness.cases.model import Case
from lpharness.images.kmodules import built_in, normal_name
from lpharness.kernels.model import Kernel


def not_meant_for(case: Case, kernel: Kernel) -> str:
    """Say why a kernel is none that a case is meant for; nothing where it is.

    A case's ``kernels`` name it by its spec or its release.
    """
    if case.architectures and kernel.arch not in case.architectures:
        return f"the case is for {', '.join(case.architectures)}, not for {kernel.arch}"
    names = (kernel.origin.spec, f"debian:{kernel.release}", kernel.release)
    if not any(fnmatch(name, pattern) for pattern in case.kernels for name in names):
        return f"the case is for {', '.join(case.kernels)}, not for {kernel.release}"
    if part := _not_a_module(case, kernel):
        return f"{kernel.release} has {', '.join(part)} built in; the case patches a module"
    return ""


def _not_a_module(case: Case, kernel: Kernel) -> list[str]:
    """Return the target's modules that are part of the image: no object is called so there."""
    if case.target is None:
        return []
    part = built_in(kernel)
    return [name for name in case.target.modules if normal_name(name) in part]
