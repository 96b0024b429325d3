"""A kernel that is no more than its module folder."""

from __future__ import annotations

from pathlib import Path

from lpharness.kernels.model import Kernel, KernelOrigin


def kernel_at(modules: Path) -> Kernel:
    return Kernel(
        release=modules.name,
        flavour="cloud-amd64",
        arch="amd64",
        image=modules / "vmlinuz",
        modules=modules,
        config={},
        origin=KernelOrigin(spec="test"),
        identity="test",
    )
