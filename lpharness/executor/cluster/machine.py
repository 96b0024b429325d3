"""What a Dask worker has to offer, told to the scheduler as resources."""

from __future__ import annotations

import os
import platform

from distributed import Worker
from distributed.diagnostics.plugin import WorkerPlugin

from lpharness.executor.capacity import usable_cpus, usable_memory_mb
from lpharness.executor.cluster.messages import CPUS, KVM, MEMORY


class Machine(WorkerPlugin):
    """Sets the resources of a worker that it was not started with."""

    name = "lpharness-machine"
    idempotent = True

    async def setup(self, worker: Worker) -> None:
        """Look at the machine: a worker has a CPU for each thread, and its share of the memory."""
        threads = worker.state.nthreads
        offered = {
            CPUS: float(threads),
            MEMORY: usable_memory_mb() * min(1.0, threads / usable_cpus()),
            KVM: float(threads) if os.access("/dev/kvm", os.R_OK | os.W_OK) else 0.0,
            f"lph-{platform.machine()}": float(threads),
        }
        given = worker.state.total_resources
        await worker.set_resources(**{n: many for n, many in offered.items() if n not in given})
