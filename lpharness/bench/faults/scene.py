"""The stage of one fault: the command that is run, where it writes, and what it started."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import psutil

from lpharness.base.deadline import Deadline
from lpharness.base.errors import HostError
from lpharness.base.process import find_tool
from lpharness.bench.faults.model import Fault
from lpharness.timeline.events import Phase

T = TypeVar("T")

_LONGEST_S = 900.0
_POLL_S = 0.02
_MARK = "LPHARNESS_FAULT"


class Unavailable(Exception):
    """This machine cannot have the fault; the message says why."""


class Scene:
    """What a plant works on.

    Attributes:
        fault: what is planted.
        folder: private; ``results`` below it gets the run, ``temporary`` is the command's TMPDIR.
        environment: of the command; a plant may add to it before the command starts.
        prefix: put before the command, for example ``prlimit --fsize=…``.
        command: what is run; a plant may change it.
    """

    def __init__(self, fault: Fault, folder: Path) -> None:
        self.fault = fault
        self.folder = folder
        self.results = folder / "results"
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        self._mark = f"{os.getpid()}-{time.monotonic_ns()}"
        self.environment = {**os.environ, "TMPDIR": str(self.temporary), _MARK: self._mark}
        self.prefix: list[str] = []
        self.command = [
            sys.executable, "-m", "lpharness.cli", "run", fault.tried, "-k", fault.kernel,
            *fault.options, "-o", str(self.results), "--retries", "0",
        ]  # fmt: skip
        self._deadline = Deadline.after(_LONGEST_S)
        self._process: subprocess.Popen[str] | None = None

    @property
    def process(self) -> subprocess.Popen[str]:
        """The running command."""
        assert self._process is not None, "a plant acts on the command only after its yield"
        return self._process

    def start(self) -> None:
        """Start the command, in a process group of its own."""
        self._process = subprocess.Popen(
            # A shell without job control starts its background with SIGINT ignored, and so would be
            # all that is started from there. By its path: a fault may take ours away.
            [find_tool("env") or "env", "--default-signal=INT", *self.prefix, *self.command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "stderr").open("w"),
            text=True,
            cwd=self.folder,
            env=self.environment,
            process_group=0,
        )

    def finish(self) -> int:
        """Wait for the command's end; return its exit status, and keep what it said.

        Raises:
            HostError: it does not end; it is killed.
        """
        try:
            status = self.process.wait(timeout=self._deadline.remaining())
        except subprocess.TimeoutExpired:
            self.kill()
            raise HostError(f"{self.fault.name}: the command did not end; it was killed") from None
        return status

    @property
    def stderr(self) -> str:
        """What the command has said so far."""
        file = self.folder / "stderr"
        return file.read_text(errors="replace") if file.is_file() else ""

    def kill(self) -> None:
        """End what is left of the command, for good."""
        for process in self.processes():
            process.kill()

    # --- for plants ------------------------------------------------------------------------

    def await_phase(self, phase: Phase | None = None) -> Path:
        """Wait until the trial enters a phase (the fault's own, unless given).

        Returns:
            The trial's folder.

        Raises:
            HostError: the command ended before.
        """
        wanted = phase or self.fault.phase
        assert wanted is not None, f"{self.fault.name}: needs a phase"
        return self.await_that(lambda: self._in_phase(wanted), f"phase {wanted} did not come")

    def await_that(self, look: Callable[[], T | None], otherwise: str) -> T:
        """Look again and again until something is found, while the command runs."""
        while True:
            if found := look():
                return found
            if self.process.poll() is not None or self._deadline.expired:
                raise HostError(f"{self.fault.name}: {otherwise}")
            time.sleep(_POLL_S)

    def _in_phase(self, phase: Phase) -> Path | None:
        for document in self.results.glob("trials/*/trial.json"):
            if f"interrupted in phase {phase}" in document.read_text():
                return document.parent
        return None

    def await_qemu(self) -> psutil.Process:
        """Return the trial's QEMU, once it runs.

        Raises:
            HostError: the command ended before.
        """
        return self.await_that(self._qemu, "no QEMU runs")

    def _qemu(self) -> psutil.Process | None:
        """Return the QEMU that runs a machine, not one that is asked for its version."""
        for process in self.processes():
            with suppress(psutil.Error):
                if process.name().startswith("qemu-system") and "-machine" in process.cmdline():
                    return process
        return None

    def processes(self) -> list[psutil.Process]:
        """Return the command and everything that it started and that still runs."""
        return list(self._marked())

    def _marked(self) -> Iterator[psutil.Process]:
        for process in psutil.process_iter():
            try:
                mine = process.environ().get(_MARK) == self._mark
                if mine and process.status() != psutil.STATUS_ZOMBIE:
                    yield process
            except psutil.Error:  # it has ended, or is another user's
                continue


Planting = Generator[None, None, None]
Plant = Callable[[Scene], Planting]
"""What is done to a scene: see `lpharness.bench.faults.plants`."""
