"""What a workload brings along: parts of the kernel's own source, and the script that uses them."""

from __future__ import annotations

import tarfile
from pathlib import Path

from lpharness.base.cache import Cache
from lpharness.base.deadline import Deadline
from lpharness.base.errors import GuestError
from lpharness.base.hashing import identity, sha256_file
from lpharness.base.progress import SILENT, Progress
from lpharness.guests.contract import Transport
from lpharness.kernels.model import Kernel
from lpharness.sources.parts import source_parts
from lpharness.workloads.catalog import SUITE, Workload

_KIND = "workload-files"


def gather_files(
    workload: Workload,
    kernel: Kernel,
    *,
    progress: Progress = SILENT,
    cache: Cache | None = None,
) -> Path | None:
    """Return an archive of what a workload brings along for a kernel; ``None`` if nothing.

    Raises:
        InputError: there is no source of exactly that kernel.
        HostError: it cannot be fetched or unpacked.
    """
    if not workload.source and not workload.script:
        return None
    tree = source_parts(kernel, workload.source, progress=progress, cache=cache)
    script = Path(__file__).with_name(workload.script)
    key = identity(kernel.identity, str(tree), *workload.source, sha256_file(script))

    def build(folder: Path) -> None:
        with tarfile.open(folder / "files.tar", "w") as archive:
            archive.add(script, script.name, filter=_of_nobody)
            for part in workload.source:
                archive.add(tree / part, part, filter=_of_nobody)

    return (cache or Cache()).get(_KIND, key, build) / "files.tar"


def put_files(archive: Path | None, transport: Transport, deadline: Deadline) -> None:
    """Unpack in a guest what `gather_files` gathered.

    Raises:
        GuestError: the guest refused.
    """
    if archive is None:
        return
    transport.run(["mkdir", "-p", SUITE], deadline=deadline)
    transport.put(archive, f"{SUITE}/files.tar", deadline=deadline)
    done = transport.run(f"cd {SUITE} && tar xf files.tar && rm files.tar", deadline=deadline)
    if done.exit_status:
        said = done.stderr.decode(errors="replace").strip()
        raise GuestError(f"the workload's files could not be unpacked: {said[-300:]}")


def _of_nobody(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Drop this host's owners and times."""
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    return entry
