"""The console of a domain on this host: a socket that leads to QEMU itself.

What a guest said last is still in a socket when QEMU has gone. In a pseudo-terminal it is not, and
libvirt drops what its own streams still hold when the domain ends; so a console through libvirt
(`lpharness.guests.libvirt_stream`) may lack the last line before a reset, on a busy host above all.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from lpharness.base.errors import HostError
from lpharness.guests.libvirt_connection import is_local

_PREFIX = "lpharness-console-"


def is_reachable(uri: str) -> bool:
    """Whether a socket that the daemon at ``uri`` makes can be opened by us.

    It belongs to the daemon's user: root's, of whom only root may open it, or our own session's.
    """
    return is_local(uri) and (os.geteuid() == 0 or urlsplit(uri).path == "/session")


@contextmanager
def console_place() -> Iterator[Path]:
    """Yield a path for the socket, in a folder of its own, while the domain is made.

    Once connected the path is not needed any more. A harness that is killed in between leaves the
    folder behind; the next one removes it.
    """
    _sweep()
    folder = Path(tempfile.gettempdir()) / f"{_PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
    try:
        folder.mkdir(0o700)
    except OSError as error:
        raise HostError(f"cannot make {folder}: {error.strerror}") from error
    try:
        yield folder / "socket"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def connect_console(path: Path) -> socket.socket:
    """Return the console's end of a domain that was made with a socket at ``path``.

    Raises:
        HostError: nobody listens there.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        sock.connect(str(path))
    except OSError as error:
        sock.close()
        raise HostError(f"cannot open the guest's console at {path}: {error.strerror}") from error
    return sock


def _sweep() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            with suppress(OSError):
                shutil.rmtree(folder)
