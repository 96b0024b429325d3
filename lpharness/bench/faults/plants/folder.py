"""The folder of the results is full, or somebody else's."""

from __future__ import annotations

import errno
import subprocess
from pathlib import Path

from lpharness.bench.faults.scene import Planting, Scene, Unavailable
from lpharness.results.folder import RunFolder

_OWN_MOUNTS = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
_ON_A_SMALL_DISK = """
mount -t tmpfs -o size=8m none "$0" || exit 125
shift 0
"$@"
status=$?
rm -f "$0/filler"
mkdir "$0.kept"
cp -R "$0/." "$0.kept"
exit $status
"""


def full(scene: Scene) -> Planting:
    """The disk of the results has no room left from a phase on.

    It is a small one in a mount namespace of the command's own, so that nobody needs to be root and
    no mount is left; what was written on it is copied out before it goes.
    """
    probe = [*_OWN_MOUNTS, "mount -t tmpfs none /mnt"]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        raise Unavailable("no small disk can be mounted here: user namespaces are not allowed")
    disk = scene.results
    disk.mkdir()
    scene.prefix = [*_OWN_MOUNTS, _ON_A_SMALL_DISK, str(disk)]
    yield
    # Seen from outside by the way of the process that has the disk mounted.
    scene.results = Path(f"/proc/{scene.process.pid}/root{disk}")
    scene.await_phase()
    _fill(scene.results / "filler")
    yield
    scene.results = disk.with_name(f"{disk.name}.kept")


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        size = 1 << 16
        while size:
            try:
                file.write(b"\0" * size)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                size //= 2


def taken(scene: Scene) -> Planting:
    """Another run writes there."""
    with RunFolder.create(scene.results):
        yield
        scene.process.wait()


PLANTS = {"disk-full": full, "folder-taken": taken}
