"""The guest's QEMU comes to harm."""

from __future__ import annotations

from collections.abc import Iterator

from lpharness.bench.faults.scene import Scene


def killed(scene: Scene) -> Iterator[None]:
    """Somebody, or the kernel for want of memory, kills QEMU."""
    yield
    scene.await_phase()
    scene.qemu().kill()


PLANTS = {"qemu-killed": killed}
