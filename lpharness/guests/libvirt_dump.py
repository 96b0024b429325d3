"""A domain's memory as a file of ours, wherever the domain runs."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lpharness.base.deadline import Deadline
from lpharness.base.errors import DeadlineExpired, HostError
from lpharness.guests.libvirt_connection import Connection, is_local, one_line
from lpharness.guests.libvirt_stream import StreamSocket
from lpharness.guests.libvirt_upload import pool_folder, scratch_pool

_CHUNK = 1 << 18


def dump(connection: Connection, domain: Any, path: Path, deadline: Deadline) -> None:
    """Write the memory of ``domain`` to ``path``, whole or not at all, readable by us alone.

    The daemon writes the core where it runs and as who it runs. Where that is not here, or not
    us, the core is made in a scratch pool there and fetched over the connection.

    Raises:
        HostError: libvirt could not write the core, or we not the file.
        DeadlineExpired: it took too long.
    """
    aside = path.with_name(f".{path.name}.part")
    try:
        if _writes_as_us(connection.uri):
            _core_dump(connection, domain, str(aside), deadline)
        else:
            _dump_and_fetch(connection, domain, aside, deadline)
        aside.chmod(0o600)
        aside.rename(path)
    except OSError as error:
        raise HostError(f"cannot write {path}: {error.strerror}") from error
    finally:
        with suppress(OSError):
            aside.unlink()


def _writes_as_us(uri: str) -> bool:
    return is_local(uri) and (os.geteuid() == 0 or urlsplit(uri).path == "/session")


def _core_dump(connection: Connection, domain: Any, path: str, deadline: Deadline) -> None:
    """Call ``virDomainCoreDumpWithFormat`` in a thread: it has no time-out of its own."""
    library = connection.library
    outcome: list[Any] = []

    def work() -> None:
        try:
            domain.coreDumpWithFormat(
                path, library.VIR_DOMAIN_CORE_DUMP_FORMAT_RAW, library.VIR_DUMP_MEMORY_ONLY
            )
            outcome.append(None)
        except library.libvirtError as error:
            outcome.append(error)

    thread = threading.Thread(target=work, name="lph-libvirt-dump", daemon=True)
    thread.start()
    thread.join(min(deadline.remaining(), threading.TIMEOUT_MAX))
    if not outcome:
        with suppress(library.libvirtError):
            domain.abortJob()
        thread.join(10)
        raise DeadlineExpired("libvirt dumps the guest's memory")
    if outcome[0] is not None:
        raise HostError(f"libvirt could not dump the memory: {one_line(outcome[0])}")


def _dump_and_fetch(connection: Connection, domain: Any, path: Path, deadline: Deadline) -> None:
    with scratch_pool(connection) as pool:
        _core_dump(connection, domain, f"{pool_folder(pool)}/core", deadline)
        with connection.explained("hand over the core"):
            pool.refresh(0)
            volume = pool.storageVolLookupByName("core")
            size = volume.info()[1]
            stream = connection.handle.newStream(connection.library.VIR_STREAM_NONBLOCK)
            volume.download(stream, 0, size, 0)
        bridge = StreamSocket(connection.library, stream, "core")
        try:
            _fetch(bridge.socket, path, size, deadline)
        finally:
            bridge.socket.close()
            bridge.close()


def _fetch(sock: socket.socket, path: Path, size: int, deadline: Deadline) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    got = 0
    with os.fdopen(handle, "wb") as file:
        while True:
            deadline.check("fetching the core")
            sock.settimeout(max(0.001, min(deadline.remaining(), 3600)))
            try:
                data = sock.recv(_CHUNK)
            except TimeoutError:
                continue
            if not data:
                break
            got += file.write(data)
    if got != size:
        raise HostError(f"only {got} of the core's {size} bytes came")
