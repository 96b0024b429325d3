"""Somebody signals the command, or the QEMU that it runs, when a phase is entered."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable

import psutil

from lpharness.bench.faults.scene import Plant, Planting, Scene

Process = psutil.Process | subprocess.Popen[str]


def _signalled(whom: Callable[[Scene], Process], number: signal.Signals) -> Plant:
    """Make a plant that sends a process a signal in the fault's phase."""

    def plant(scene: Scene) -> Planting:
        yield
        scene.await_phase()
        whom(scene).send_signal(number)

    return plant


def _qemu(scene: Scene) -> Process:
    return scene.await_qemu()


def _harness(scene: Scene) -> Process:
    return scene.process


PLANTS = {
    # As the host's kernel does, too, for want of memory.
    "qemu-killed": _signalled(_qemu, signal.SIGKILL),
    "qemu-stopped": _signalled(_qemu, signal.SIGSTOP),
    "harness-interrupted": _signalled(_harness, signal.SIGINT),
    "harness-terminated": _signalled(_harness, signal.SIGTERM),
    "harness-killed": _signalled(_harness, signal.SIGKILL),
}
