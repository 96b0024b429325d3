"""The command itself is told to end, or is ended."""

from __future__ import annotations

import signal
from collections.abc import Iterator

from lpharness.bench.faults.scene import Scene


def interrupted(scene: Scene) -> Iterator[None]:
    """Ctrl-C."""
    yield
    scene.await_phase()
    scene.process.send_signal(signal.SIGINT)


def terminated(scene: Scene) -> Iterator[None]:
    """A CI runner that wants its machine back."""
    yield
    scene.await_phase()
    scene.process.terminate()


def killed(scene: Scene) -> Iterator[None]:
    """``kill -9``."""
    yield
    scene.await_phase()
    scene.process.kill()


PLANTS = {
    "harness-interrupted": interrupted,
    "harness-terminated": terminated,
    "harness-killed": killed,
}
