"""Child processes that end with the harness, whatever ends it."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from queue import SimpleQueue

from lpharness.base.errors import HostError

# The kernel tells of no end that came before it was asked to: who was started at that very moment
# has another parent by now.
_IF_WE_LIVE = ("sh", "-c", '[ "$PPID" = "$1" ] || exit 1; shift; exec "$@"', "sh")

_Request = tuple[Sequence[str], Sequence[int], int, "Future[subprocess.Popen[bytes]]"]


class _Spawner:
    """Starts processes from one thread that lives as long as the harness.

    ``PR_SET_PDEATHSIG`` fires when the *thread* that forked ends, not the process (prctl(2)), so
    a child started from a worker thread would be killed when that worker is done.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queue: SimpleQueue[_Request] | None = None
        self._pid = 0

    def spawn(
        self, argv: Sequence[str], pass_fds: Sequence[int], stderr: int
    ) -> subprocess.Popen[bytes]:
        future: Future[subprocess.Popen[bytes]] = Future()
        with self._lock:
            if self._queue is None or self._pid != os.getpid():  # a fork has no threads
                self._queue, self._pid = SimpleQueue(), os.getpid()
                threading.Thread(
                    target=self._serve, args=(self._queue,), name="lph-spawner", daemon=True
                ).start()
            self._queue.put((argv, pass_fds, stderr, future))
        return future.result()

    @staticmethod
    def _serve(queue: SimpleQueue[_Request]) -> None:
        while True:
            argv, pass_fds, stderr, future = queue.get()
            try:
                process = subprocess.Popen(
                    ["setpriv", "--pdeathsig", "KILL", "--", *_IF_WE_LIVE, str(os.getpid()), *argv],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=stderr,
                    pass_fds=pass_fds,
                    start_new_session=True,  # Ctrl-C is for the harness, which ends its guests
                )
            except BaseException as error:  # raised where it was asked for
                future.set_exception(error)
            else:
                future.set_result(process)


_SPAWNER = _Spawner()


class Child:
    """A running child and what it said on standard error (kept in memory, not on disk)."""

    def __init__(self, argv: Sequence[str], *, pass_fds: Sequence[int] = ()) -> None:
        """Start ``argv``.

        Raises:
            HostError: the program, or ``setpriv``, cannot be started.
        """
        self._stderr = os.memfd_create("lph-stderr", os.MFD_CLOEXEC)
        try:
            self._process = _SPAWNER.spawn(argv, pass_fds, self._stderr)
        except OSError as error:
            os.close(self._stderr)
            raise HostError(
                f"cannot start setpriv for {argv[0]}: {error.strerror}",
                hint="setpriv comes with util-linux",
            ) from error
        self._closed = False

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def exit_status(self, wait: float = 0.0) -> int | None:
        """Return how it ended (negative: by which signal), waiting at most ``wait`` seconds."""
        try:
            return self._process.wait(wait) if wait else self._process.poll()
        except subprocess.TimeoutExpired:
            return None

    @property
    def stopped(self) -> bool:
        """Whether the process is stopped (``SIGSTOP``, a debugger)."""
        try:
            with open(f"/proc/{self.pid}/stat", "rb") as file:  # noqa: PTH123
                return file.read().rpartition(b")")[2].split()[0] in b"Tt"
        except (OSError, IndexError):
            return False

    def stderr(self) -> str:
        """Return what it has said on standard error so far."""
        if self._closed:
            return self._said
        size = os.fstat(self._stderr).st_size
        return os.pread(self._stderr, size, 0).decode(errors="replace").strip()

    def complaint(self) -> str:
        """Return the first thing that it said on standard error, on one line, without its name."""
        first = next(iter(self.stderr().splitlines()), "")
        return first.partition(": ")[2] or first

    def end(self) -> None:
        """Kill it and wait for its end; idempotent."""
        self._process.kill()
        self._process.wait()
        if not self._closed:
            self._said = self.stderr()
            self._closed = True
            os.close(self._stderr)
