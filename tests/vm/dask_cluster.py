"""A Dask cluster on this machine: real processes, each worker with a cache of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from distributed import Client

from lpharness.base.deadline import Deadline

PATIENCE_S = 120


class Cluster:
    """A scheduler and its workers."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        self.folder = folder
        self.port = _free_port()
        self.address = f"dask://127.0.0.1:{self.port}"
        self._threads = threads
        self._started: list[subprocess.Popen[bytes]] = []
        self.workers: list[subprocess.Popen[bytes]] = []
        self.start_scheduler()

    def start_scheduler(self) -> None:
        self.scheduler = self._start(
            "scheduler", "scheduler", "--host", "127.0.0.1", "--port", str(self.port),
            "--no-dashboard",
        )  # fmt: skip

    def add_worker(self, name: str, *more: str) -> subprocess.Popen[bytes]:
        worker = self._start(
            name, "worker", f"tcp://127.0.0.1:{self.port}", "--name", name,
            "--nthreads", str(self._threads), "--nworkers", "1", "--host", "127.0.0.1",
            "--local-directory", str(self.folder / name / "scratch"), "--no-dashboard", *more,
        )  # fmt: skip
        self.workers.append(worker)
        return worker

    def wait_for_workers(self, number: int) -> None:
        with Client(f"tcp://127.0.0.1:{self.port}", timeout=PATIENCE_S) as client:
            client.wait_for_workers(number, timeout=PATIENCE_S)

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

    def said(self, name: str) -> str:
        return (self.folder / name / "log").read_text()

    def close(self) -> None:
        family = self.family()
        for process in reversed(self._started):
            process.send_signal(signal.SIGTERM)
        psutil.wait_procs(family, timeout=20)
        for process in family:
            if process.is_running():
                process.kill()
        for started in self._started:
            started.wait()

    def _start(self, name: str, *words: str) -> subprocess.Popen[bytes]:
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        path = [*filter(None, sys.path)]
        environment = {
            **os.environ,
            "LPHARNESS_CACHE": str(folder / "cache"),
            "PYTHONPATH": os.pathsep.join(path),
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "20",
        }
        log = (folder / "log").open("ab")
        with log:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *words], cwd=folder, env=environment,
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self._started.append(process)
        return process


@contextmanager
def cluster(folder: Path, workers: int, threads: int = 1) -> Iterator[Cluster]:
    """Start a cluster, and end it with everything that it started."""
    ours = Cluster(folder, threads)
    try:
        for number in range(workers):
            ours.add_worker(f"worker-{number}")
        ours.wait_for_workers(workers)
        yield ours
    finally:
        ours.close()
        for number in range(len(ours.workers)):
            shutil.rmtree(folder / f"worker-{number}" / "cache", ignore_errors=True)


def eventually(happens: object, what: str) -> None:
    """Wait until something is true."""
    assert callable(happens)
    deadline = Deadline.after(PATIENCE_S)
    while not happens():
        deadline.check(what)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
