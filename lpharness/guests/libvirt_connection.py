"""A connection to a libvirt daemon: its event loop, its errors, its loss.

``libvirt`` is an optional dependency and a C library with process-wide state, so it is imported
here only, and only when a libvirt guest is asked for.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

from lpharness.base.deadline import Deadline
from lpharness.base.errors import HostError

_KEEPALIVE_SECONDS = 5
_KEEPALIVE_COUNT = 3
_AGAIN_SECONDS = 0.3

_loop_lock = threading.Lock()
_loop: threading.Thread | None = None


def load_library() -> Any:
    """Return the ``libvirt`` module, its event loop running in a thread of its own.

    Raises:
        HostError: libvirt-python is not installed.
    """
    try:
        import libvirt
    except ImportError as error:
        raise HostError(
            "the libvirt backend needs libvirt-python, which is not installed",
            hint="pip install 'lpharness[libvirt]' (it compiles against libvirt-dev)",
        ) from error
    _start_loop(libvirt)
    return libvirt


def _start_loop(libvirt: Any) -> None:
    """Run libvirt's own event loop for the life of the process.

    It has to be registered before the first connection is opened (libvirt's documentation of
    ``virEventRegisterImpl``), and no thread can be made to leave it, hence a daemon thread.
    """
    global _loop  # libvirt's own state is process-wide too
    with _loop_lock:
        if _loop is not None:
            return
        # Errors arrive as exceptions; by default libvirt prints them on stderr as well.
        libvirt.registerErrorHandler(lambda _context, _error: None, None)
        libvirt.virEventRegisterDefaultImpl()
        _loop = threading.Thread(
            target=_run_loop, args=(libvirt,), name="lph-libvirt-events", daemon=True
        )
        _loop.start()


def _run_loop(libvirt: Any) -> None:
    while True:
        with suppress(libvirt.libvirtError):
            libvirt.virEventRunDefaultImpl()


def one_line(error: Exception) -> str:
    """Return what libvirt says, on one line."""
    getter = getattr(error, "get_error_message", None)
    return " ".join((getter() if getter else None or str(error)).split())


def is_local(uri: str) -> bool:
    """Whether QEMU will see this machine's files: no host named, and no transport."""
    parts = urlsplit(uri)
    return not parts.netloc and "+" not in parts.scheme


def _start_hint(uri: str) -> str:
    if not is_local(uri):
        return "is the daemon there running, and does it listen for this transport?"
    if urlsplit(uri).path == "/session" and os.geteuid() != 0:
        return "is libvirtd installed (package libvirt-daemon)? it is started on demand"
    return "start it as root: `virtlogd -d; libvirtd -d`; you may also need to be in group libvirt"


class Connection:
    """One open connection; closed by `close`, or lost with the daemon."""

    def __init__(self, uri: str, deadline: Deadline) -> None:
        """Connect.

        Args:
            uri: ``qemu:///session``, ``qemu:///system`` or any remote URI.
            deadline: for the daemon to answer.

        Raises:
            HostError: no such daemon, it does not answer, or it does not run QEMU guests.
        """
        self.uri = uri
        self.library = load_library()
        self.lost: str | None = None
        self._closed = False
        self._on_lost: list[Callable[[str], None]] = []
        self._lock = threading.Lock()
        self.handle = self._open(deadline)
        try:
            self._configure()
        except BaseException:
            self.close()
            raise

    def _open(self, deadline: Deadline) -> Any:
        """Open in a thread: a remote host that drops packets would block for minutes."""
        outcome: list[Any] = []

        def attempt() -> None:
            try:
                outcome.append(self.library.open(self.uri))
            except self.library.libvirtError as error:
                outcome.append(error)

        thread = threading.Thread(target=attempt, name="lph-libvirt-open", daemon=True)
        thread.start()
        thread.join(min(deadline.remaining(), threading.TIMEOUT_MAX))
        if not outcome:
            raise HostError(f"libvirt at {self.uri} does not answer", hint=_start_hint(self.uri))
        if isinstance(outcome[0], Exception):
            raise HostError(
                f"no connection to libvirt at {self.uri}: {one_line(outcome[0])}",
                hint=_start_hint(self.uri),
            ) from outcome[0]
        return outcome[0]

    def _configure(self) -> None:
        with self.explained("ask libvirt what it is"):
            if self.handle.getType() != "QEMU":
                raise HostError(
                    f"{self.uri} runs {self.handle.getType()} guests, not QEMU ones",
                    hint="name a qemu URI, for example qemu:///session",
                )
            self.handle.registerCloseCallback(self._connection_closed, None)
            # A local daemon's death closes its socket; a remote host's may leave it open.
            self.handle.setKeepAlive(_KEEPALIVE_SECONDS, _KEEPALIVE_COUNT)

    def _connection_closed(self, _handle: Any, reason: int, _opaque: Any) -> None:
        names = ("an error", "its end", "no sign of life", "the client")
        said = names[reason] if reason < len(names) else f"reason {reason}"
        with self._lock:
            self.lost = f"the connection to libvirt at {self.uri} was closed by {said}"
            listeners = list(self._on_lost)
        for listener in listeners:
            listener(self.lost)

    def on_lost(self, listener: Callable[[str], None]) -> None:
        """Call ``listener`` with the reason when the connection is lost, from another thread."""
        with self._lock:
            self._on_lost.append(listener)
            lost = self.lost
        if lost:
            listener(lost)

    @contextmanager
    def explained(self, doing: str) -> Iterator[None]:
        """Turn libvirt's exceptions into one clear line: ``cannot <doing>: <libvirt's words>``."""
        try:
            yield
        except self.library.libvirtError as error:
            raise HostError(f"libvirt at {self.uri} cannot {doing}: {one_line(error)}") from error

    @property
    def version(self) -> str:
        """Versions of the daemon and of the QEMU that it runs."""
        with self.explained("tell its version"):
            daemon, qemu = self.handle.getLibVersion(), self.handle.getVersion()
        return f"libvirt {_dotted(daemon)}, QEMU {_dotted(qemu)}"

    def security_models(self) -> frozenset[str]:
        """Names of the daemon's security drivers; a session daemon has no ``dac``."""
        with self.explained("tell its capabilities"):
            capabilities = ElementTree.fromstring(self.handle.getCapabilities())  # noqa: S314
        return frozenset(
            model.text for model in capabilities.iterfind("host/secmodel/model") if model.text
        )

    def close(self) -> None:
        """Close the connection; libvirt then destroys what was to be destroyed with it."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        with suppress(self.library.libvirtError):
            self.handle.unregisterCloseCallback()
        with suppress(self.library.libvirtError):
            self.handle.close()


def _dotted(number: int) -> str:
    return f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"


def destroy_anew(uri: str, domain: str, seconds: float = 10.0) -> None:
    """Destroy a domain whose connection was lost, through a new one, if there will be one soon.

    A daemon that ends in order destroys what is bound to its connections; one that is killed does
    not, and when it is started again it does not know of the bond any more.
    """
    deadline = Deadline.after(seconds)
    while not deadline.expired:
        try:
            connection = Connection(uri, deadline)
        except HostError:
            time.sleep(_AGAIN_SECONDS)
            continue
        try:
            connection.handle.lookupByName(domain).destroy()
        except connection.library.libvirtError:
            pass  # it is gone already
        finally:
            connection.close()
        return
