"""What a guest costs: boot, restore, commands, by each transport, and memory."""

from __future__ import annotations

from contextlib import closing

import psutil

from lpharness.base.deadline import Deadline
from lpharness.base.progress import SILENT, Progress
from lpharness.bench.figures import (
    Bench,
    Figure,
    host_load,
    own_memory_mib,
    stopwatch,
    timed,
)
from lpharness.engine.guest_image import guest_image
from lpharness.guests import backend
from lpharness.guests.contract import Backend, GuestSpec
from lpharness.kernels import resolve

_BOUND_S = 180.0
_MIB = 1 << 20
_BOOT_S = 4.0
_BOOT_WITH_CHECKERS_S = 20.0
"""What a boot may take: of a kernel as it is shipped, and of one that checks itself (KASAN, …)."""


def measure(kernel: str, repeat: int, progress: Progress = SILENT) -> Bench:
    """Measure guests of ``kernel`` with the minimal image, 2 CPUs and 512 MB.

    Each sample of a start lasts from the request to the answer of a first command.
    """
    load = host_load()
    found = resolve(kernel, progress=progress)
    spec = GuestSpec(kernel=found, image=guest_image("minimal", found, progress=progress))
    maker = backend("qemu")
    with progress.step("first start: accelerator, snapshot"):
        accelerator = _answer_once(maker, spec, fresh=False)
    with progress.step("booting"):
        boots = timed(max(3, repeat // 3), lambda: _answer_once(maker, spec, fresh=True))
    with progress.step("restoring"):
        restores = timed(repeat, lambda: _answer_once(maker, spec, fresh=False))
    with progress.step("commands"):
        rest = _in_one_guest(maker, spec, repeat)
    boot_bound = _BOOT_WITH_CHECKERS_S if found.checks_itself else _BOOT_S
    return Bench(
        kernel=found.release,
        accelerator=accelerator,
        load=(load, host_load()),
        figures=[
            Figure(name="boot to first answer", unit="s", samples=boots, bound=boot_bound),
            Figure(name="restore to first answer", unit="s", samples=restores, bound=0.6, goal=0.3),
            *rest,
        ],
    )


def _answer_once(maker: Backend, spec: GuestSpec, *, fresh: bool) -> str:
    """Start a guest, let it answer, and return who ran its code."""
    with maker.start(spec, fresh=fresh, deadline=Deadline.after(_BOUND_S)) as guest:
        guest.transport.run(["true"], deadline=Deadline.after(_BOUND_S))
        return guest.start.accelerator


def _in_one_guest(maker: Backend, spec: GuestSpec, repeat: int) -> list[Figure]:
    with maker.start(spec, deadline=Deadline.after(_BOUND_S)) as guest:
        bound = Deadline.after(_BOUND_S)
        channel = timed(repeat, lambda: guest.transport.run(["true"], deadline=bound))
        with stopwatch() as connecting:
            ssh = guest.ssh(bound)
            ssh.run(["true"], deadline=bound)
        with closing(ssh):
            by_ssh = timed(repeat, lambda: ssh.run(["true"], deadline=bound))
        children = psutil.Process().children(recursive=True)
        memory = sum(child.memory_info().rss for child in children) / _MIB
    return [
        Figure(name="further command, virtio-serial", unit="s", samples=channel),
        Figure(name="SSH: server, keys, first answer", unit="s", samples=[connecting.seconds]),
        Figure(name="further command, SSH", unit="s", samples=by_ssh),
        Figure(name="memory of QEMU", unit="MiB", samples=[memory]),
        Figure(name="memory of the harness", unit="MiB", samples=[own_memory_mib()], bound=150.0),
    ]
