"""The guest's QEMU comes to harm."""

from __future__ import annotations

import signal
from collections.abc import Iterator

from lpharness.bench.faults.scene import Scene


def killed(scene: Scene) -> Iterator[None]:
    """Somebody, or the host's kernel for want of memory, kills QEMU."""
    yield
    scene.await_phase()
    scene.await_qemu().kill()


def stopped(scene: Scene) -> Iterator[None]:
    """Somebody stops QEMU and forgets it."""
    yield
    scene.await_phase()
    scene.await_qemu().send_signal(signal.SIGSTOP)


PLANTS = {"qemu-killed": killed, "qemu-stopped": stopped}
