"""A Dask cluster on this machine: real processes, each worker with a cache of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

_PATIENCE_S = 120
_GRACE_S = 20


class Cluster:
    """A scheduler and its workers, each with a folder and a log below one folder."""

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        self.folder = folder
        self.port = _free_port()
        self.address = f"dask://127.0.0.1:{self.port}"
        self.workers: list[subprocess.Popen[bytes]] = []
        self._threads = threads
        self._started: list[subprocess.Popen[bytes]] = []
        self.start_scheduler()

    def start_scheduler(self) -> None:
        """Start the scheduler; again, where it was."""
        port = str(self.port)
        self.scheduler = self._start(
            "scheduler", "scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard"
        )

    def add_worker(self, name: str, *more: str) -> None:
        """Start a worker."""
        worker = self._start(
            name, "worker", f"tcp://127.0.0.1:{self.port}", "--name", name, "--host", "127.0.0.1",
            "--nthreads", str(self._threads), "--nworkers", "1", "--no-dashboard",
            "--local-directory", str(self.folder / name / "scratch"), *more,
        )  # fmt: skip
        self.workers.append(worker)

    def wait_for_workers(self, number: int) -> None:
        """Wait until so many workers have joined."""
        from distributed import Client

        with Client(f"tcp://127.0.0.1:{self.port}", timeout=_PATIENCE_S) as client:
            client.wait_for_workers(number, timeout=_PATIENCE_S)

    def family(self) -> list[psutil.Process]:
        """Return all processes that were started, by us and by them."""
        found: list[psutil.Process] = []
        for process in self._started:
            try:
                one = psutil.Process(process.pid)
                found += [one, *one.children(recursive=True)]
            except psutil.Error:
                continue
        return found

    def close(self) -> None:
        """End all of it."""
        family = self.family()
        for process in reversed(self._started):
            process.send_signal(signal.SIGTERM)
        _, alive = psutil.wait_procs(family, timeout=_GRACE_S)
        for survivor in alive:
            survivor.kill()
        for started in self._started:
            started.wait()

    def _start(self, name: str, *words: str) -> subprocess.Popen[bytes]:
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        environment = {
            **os.environ,
            "LPHARNESS_CACHE": str(folder / "cache"),
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "20",
        }
        if name == "scheduler":  # one that is killed leaves its depot behind
            environment["TMPDIR"] = str(folder)
        with (folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *words], cwd=folder, env=environment,
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self._started.append(process)
        return process


@contextmanager
def cluster(folder: Path, *, workers: int, threads: int = 1) -> Iterator[Cluster]:
    """Start a cluster, and end it with everything that it started."""
    ours = Cluster(folder, threads=threads)
    try:
        for number in range(workers):
            ours.add_worker(f"worker-{number}")
        ours.wait_for_workers(workers)
        yield ours
    finally:
        ours.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
