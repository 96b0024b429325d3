"""Snapshots: a guest booted once, then mapped copy-on-write as often as wanted.

The guest's memory is a file that the template shares with QEMU; migration with
``x-ignore-shared`` (QEMU since 4.0, ``docs/devel/migration`` "VM templating") then saves only the
devices' state. A restored guest maps the same file privately, so nothing is copied before it
runs, and any number of guests can use one snapshot at once.

An entry holds ``memory``, ``state``, ``guard.json`` and the template's ``console.log``. The
memory holds no keys: SSH keys are made for each guest after its restore.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from lpharness.base.cache import Cache
from lpharness.base.deadline import Deadline
from lpharness.base.errors import GuestError, HostError
from lpharness.base.hashing import identity, sha256_file
from lpharness.guests.contract import GuestSpec
from lpharness.guests.machine import Machine, how_far
from lpharness.guests.qemu_command import Wiring, command, memory_mb, program, version

_KIND = "snapshots"
_FORMAT = 1
_KEEP = 12
"""Entries kept, most recently used first; each takes some 130 MB of disk."""
_FULL = 1 << 20
"""Bytes free below which a disk is full."""
_RESTORE_S = 15.0
_SAMPLES = 64
_SAMPLE_BYTES = 4096
_CAPABILITIES = [
    {"capability": "x-ignore-shared", "state": True},
    {"capability": "events", "state": True},
]


class SnapshotError(GuestError):
    """A snapshot could not be used; the guest must be booted."""


class _Guard(Struct, frozen=True, kw_only=True):
    """What an entry must still be like. Reading all of the memory would cost more than a boot."""

    memory_bytes: int
    memory_mtime_ns: int
    """Private mappings never touch it; anything that writes the file does."""
    memory_samples: str
    state_sha256: str


def key(spec: GuestSpec, accelerator: str) -> str:
    """Return the identity of all that shapes a guest: files by content, QEMU by version."""
    nowhere = Wiring(monitor="null", console="null", agent="null")
    words = command(spec, accelerator, nowhere)
    paths = {str(spec.kernel.image): "kernel", str(spec.image.initramfs): "initramfs"}
    return identity(
        _FORMAT,
        version(program(spec.kernel.arch)),
        spec.kernel.identity,
        spec.image.identity,
        *(paths.get(word, word) for word in words),
    )


def make(spec: GuestSpec, accelerator: str, cache: Cache, seconds: float) -> Path:
    """Return the entry for a guest, booting its template first if there is none.

    Its boot may take ``seconds``, whoever else's had to be waited for before.

    Raises:
        GuestError: the template did not come up, or QEMU could not save it.
        HostError: no space left, or QEMU is missing.
    """
    built = False

    def build(folder: Path) -> None:
        nonlocal built
        _build(spec, accelerator, folder, Deadline.after(seconds))
        built = True

    try:
        entry = cache.get(_KIND, key(spec, accelerator), build)
    except OSError as error:
        raise HostError(f"cannot make a snapshot in {cache.root}: {error.strerror}") from error
    if built:
        _forget_old(cache)
    return entry


def find(spec: GuestSpec, accelerator: str, cache: Cache) -> Path | None:
    """Return the entry for a guest if there is one."""
    return cache.find(_KIND, key(spec, accelerator))


def drop(entry: Path, cache: Cache) -> None:
    """Remove an entry that was of no use."""
    with suppress(OSError):  # somebody else was quicker
        cache.remove(_KIND, entry.name)


def restore(
    spec: GuestSpec, accelerator: str, entry: Path, console_log: Path | None, deadline: Deadline
) -> Machine:
    """Return a running machine made from a snapshot, with its own time and randomness.

    Raises:
        SnapshotError: the entry is damaged, or QEMU or the guest does not take it.
    """
    _check(entry)
    deadline = deadline.sooner(_RESTORE_S)
    state = os.open(entry / "state", os.O_RDONLY | os.O_CLOEXEC)
    try:
        machine = Machine(
            spec,
            accelerator,
            console_log=console_log,
            memory=_memory(entry / "memory", share=False),
            extra=["-incoming", "defer"],
            pass_fds=[state],
        )
        try:
            machine.connect(deadline)
            machine.execute("migrate-set-capabilities", deadline, capabilities=_CAPABILITIES)
            machine.execute("migrate-incoming", deadline, uri=f"fd:{state}")
            machine.channel.wait_welcome(deadline)
            machine.transport.renew(deadline)
        except GuestError as error:
            machine.close()
            said = machine.child.complaint()
            raise SnapshotError(f"the snapshot could not be restored: {said or error}") from error
        except BaseException:
            machine.close()
            raise
    finally:
        os.close(state)
    return machine


def _build(spec: GuestSpec, accelerator: str, folder: Path, deadline: Deadline) -> None:
    began = time.monotonic()
    memory = folder / "memory"
    size = memory_mb(spec) << 20
    handle = os.open(memory, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(handle, size)
    finally:
        os.close(handle)
    state = os.open(folder / "state", os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        machine = Machine(
            spec,
            accelerator,
            console_log=folder / "console.log",
            memory=_memory(memory, share=True),
        )
        try:
            machine.connect(deadline)
            machine.channel.wait_welcome(deadline)
            _warm(machine, deadline)
            _save(machine, state, deadline)
        except GuestError as error:
            if shutil.disk_usage(folder).free < _FULL:  # which QEMU is told by a SIGBUS
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
            raise SnapshotError(f"{error.message}; {how_far(machine, began)}") from error
        finally:
            machine.close()
    finally:
        os.close(state)
    (folder / "guard.json").write_bytes(msgspec.json.encode(_guard(folder)))
    for path in folder.iterdir():  # the folder itself is private until it is whole
        path.chmod(0o600)


def _warm(machine: Machine, deadline: Deadline) -> None:
    """Walk once through what every guest does first, so that it is in the guest's caches."""
    machine.transport.run("cat /proc/uptime", deadline=deadline)
    machine.transport.get("/proc/uptime", deadline=deadline)
    machine.transport.clock(deadline)


def _save(machine: Machine, state: int, deadline: Deadline) -> None:
    """Save the devices' state. The guest runs until then: a paused one would be restored paused."""
    machine.execute("migrate-set-capabilities", deadline, capabilities=_CAPABILITIES)
    machine.hand_over("state", state, deadline)
    machine.execute("migrate", deadline, uri="fd:state")
    event = machine.wait_event(
        lambda event: (
            event.name == "MIGRATION" and ("completed" in event.data or "failed" in event.data)
        ),
        deadline,
        "QEMU saves the snapshot",
    )
    if "completed" not in event.data:
        raise GuestError("QEMU could not save the snapshot")


def _memory(path: Path, *, share: bool) -> str:
    doubled = str(path).replace(",", ",,")
    return f"memory-backend-file,mem-path={doubled},share={'on' if share else 'off'}"


def _guard(folder: Path) -> _Guard:
    memory = folder / "memory"
    status = memory.stat()
    return _Guard(
        memory_bytes=status.st_size,
        memory_mtime_ns=status.st_mtime_ns,
        memory_samples=_samples(memory, status.st_size),
        state_sha256=sha256_file(folder / "state"),
    )


def _samples(path: Path, size: int) -> str:
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        for at in range(0, size, max(size // _SAMPLES, _SAMPLE_BYTES)):
            file.seek(at)
            digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()


def _check(entry: Path) -> None:
    try:
        wanted = msgspec.json.decode((entry / "guard.json").read_bytes(), type=_Guard)
        damaged = _guard(entry) != wanted
    except (OSError, msgspec.MsgspecError) as error:
        raise SnapshotError(f"the snapshot is incomplete: {error}") from error
    if damaged:
        raise SnapshotError("the snapshot is not as it was made")


def _forget_old(cache: Cache) -> None:
    for entry in cache.entries(_KIND)[_KEEP:]:
        with suppress(OSError, HostError):
            cache.remove(_KIND, entry.name)
