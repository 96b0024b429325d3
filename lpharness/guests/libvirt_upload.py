"""A guest's files where a remote QEMU can read them: a transient storage pool of its own.

QEMU reads kernel and initramfs while it starts, so the pool lives only from just before
``createXML`` to just after it. A harness killed in between leaves it behind; it is swept by the
next one that connects there. (A pool cannot be bound to a connection as a domain can.)
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from lpharness.base.deadline import Deadline
from lpharness.base.errors import HostError
from lpharness.guests.libvirt_connection import Connection

_PREFIX = "lpharness-files-"
_FOLDER = "/var/tmp"  # noqa: S108 - on the remote host; the name below it cannot be guessed
_ABANDONED_SECONDS = 3600
"""Nobody uploads for that long; the remote host's clock plays no part, only ours and a peer's."""
_CHUNK = 1 << 18


@contextmanager
def uploaded(
    connection: Connection, files: Mapping[str, Path], deadline: Deadline
) -> Iterator[dict[str, str]]:
    """Upload files for the length of the ``with`` block; yields their paths on the remote host.

    Args:
        connection: where to.
        files: name on the remote host to the file here.
        deadline: for the whole upload.

    Raises:
        HostError: the daemon there has no storage driver, no space, or went away.
        DeadlineExpired: the upload took too long.
    """
    with scratch_pool(connection) as pool:
        yield {key: _upload(connection, pool, key, path, deadline) for key, path in files.items()}


@contextmanager
def scratch_pool(connection: Connection) -> Iterator[Any]:
    """Make a storage pool with a folder of its own for the length of the ``with`` block."""
    sweep(connection)
    name = f"{_PREFIX}{int(time.time())}-{secrets.token_hex(8)}"
    with connection.explained("make a storage pool for a guest's files"):
        pool = connection.handle.storagePoolCreateXML(
            _pool_xml(name), connection.library.VIR_STORAGE_POOL_CREATE_WITH_BUILD
        )
    try:
        yield pool
    finally:
        _remove(connection, pool)


def pool_folder(pool: Any) -> str:
    """Return the pool's folder on the daemon's host."""
    return f"{_FOLDER}/{pool.name()}"


def sweep(connection: Connection) -> None:
    """Remove pools that harnesses left which were killed while they uploaded."""
    with suppress(connection.library.libvirtError):
        for pool in connection.handle.listAllStoragePools():
            name = pool.name()
            stamp = name.removeprefix(_PREFIX).partition("-")[0]
            if not name.startswith(_PREFIX) or not stamp.isdigit():
                continue
            if int(stamp) + _ABANDONED_SECONDS < time.time():
                _remove(connection, pool)


def _pool_xml(name: str) -> str:
    pool = ElementTree.Element("pool", type="dir")
    ElementTree.SubElement(pool, "name").text = name
    target = ElementTree.SubElement(pool, "target")
    ElementTree.SubElement(target, "path").text = f"{_FOLDER}/{name}"
    permissions = ElementTree.SubElement(target, "permissions")
    # Searchable, for QEMU runs as another user; not listable.
    ElementTree.SubElement(permissions, "mode").text = "0711"
    return ElementTree.tostring(pool, encoding="unicode")


def _volume_xml(name: str, size: int) -> str:
    volume = ElementTree.Element("volume")
    ElementTree.SubElement(volume, "name").text = name
    ElementTree.SubElement(volume, "capacity", unit="bytes").text = str(size)
    ElementTree.SubElement(volume, "allocation", unit="bytes").text = "0"
    target = ElementTree.SubElement(volume, "target")
    ElementTree.SubElement(target, "format", type="raw")
    permissions = ElementTree.SubElement(target, "permissions")
    ElementTree.SubElement(permissions, "mode").text = "0644"
    return ElementTree.tostring(volume, encoding="unicode")


def _upload(connection: Connection, pool: Any, name: str, path: Path, deadline: Deadline) -> str:
    size = path.stat().st_size
    with connection.explained(f"store {path.name} ({size} bytes)"):
        volume = pool.createXML(_volume_xml(name, size), 0)
        stream = connection.handle.newStream(0)
        volume.upload(stream, 0, size, 0)
        try:
            _send(stream, path, deadline)
        except BaseException:
            with suppress(connection.library.libvirtError):
                stream.abort()
            raise
        stream.finish()
        return str(volume.path())


def _send(stream: Any, path: Path, deadline: Deadline) -> None:
    with path.open("rb") as file:
        while data := file.read(_CHUNK):
            rest = memoryview(data)
            while rest:
                deadline.check(f"uploading {path.name}")
                sent = stream.send(bytes(rest))
                if sent < 0:
                    raise HostError(f"libvirt took no more of {path.name}")
                rest = rest[sent:]


def _remove(connection: Connection, pool: Any) -> None:
    """Remove volumes, folder and pool, as far as each lets itself be removed."""
    error = connection.library.libvirtError
    with suppress(error):
        if not pool.isPersistent():
            # libvirt removes the folder of an inactive pool only, and forgets a transient pool
            # that becomes inactive: so it has to be a persistent one for a moment.
            pool = connection.handle.storagePoolDefineXML(pool.XMLDesc(0), 0)
    with suppress(error):
        for volume in pool.listAllVolumes():
            with suppress(error):
                volume.delete(0)
    for step in (pool.destroy, lambda: pool.delete(0), pool.undefine):
        with suppress(error):
            step()
