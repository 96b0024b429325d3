"""Nothing stays behind, whatever ends the harness; and starts that cannot succeed say why."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest
from guest_support import soon, spec

from lpharness.base.deadline import Deadline
from lpharness.base.errors import GuestStartError, HostError
from lpharness.guests import backend

_HARNESS = """
import sys, time
sys.path.insert(0, {folder!r})
from guest_support import soon, spec
from lpharness.guests import backend
with backend().start(spec(), deadline=soon()) as guest:
    print(guest.pid, flush=True)
    guest.transport.run("sleep 600", deadline=soon())
"""


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def gone(pid: int) -> None:
    deadline = soon()
    while alive(pid):
        deadline.check(f"process {pid} is still there")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_killed_harness_leaves_nothing(tmp_path, number):
    spec()  # so that the harness below only has to restore
    code = _HARNESS.format(folder=str(Path(__file__).parent))
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=tmp_path,
        env=environment,
    ) as harness:
        assert harness.stdout is not None
        qemu = int(harness.stdout.readline())
        assert alive(qemu)
        harness.send_signal(number)
        assert harness.wait(60) != 0
    gone(qemu)
    assert list(tmp_path.iterdir()) == []


def test_a_guest_outlives_the_thread_that_started_it():
    """PR_SET_PDEATHSIG is about the forking thread, which must not be the caller's."""
    guests = []
    thread = threading.Thread(
        target=lambda: guests.append(backend().start(spec(), deadline=soon()))
    )
    thread.start()
    thread.join()
    with guests[0] as guest:
        assert guest.transport.run("echo here", deadline=soon()).text == "here\n"


def test_no_descriptor_and_no_thread_is_left():
    def count() -> tuple[int, int]:
        return len(os.listdir("/proc/self/fd")), threading.active_count()  # noqa: PTH208

    with backend().start(spec(), deadline=soon()):
        pass
    before = count()
    for _ in range(3):
        with backend().start(spec(), deadline=soon()) as guest:
            guest.transport.run("true", deadline=soon())
    deadline = soon()
    while count() > before:
        deadline.check(f"{count()} descriptors and threads, {before} before")


def test_an_image_that_cannot_boot(tmp_path):
    """The message says how far the guest came."""
    broken = tmp_path / "initramfs"
    broken.write_bytes(b"this is no initramfs")
    image = msgspec.structs.replace(spec().image, initramfs=broken, identity="broken")
    with pytest.raises(GuestStartError) as caught:
        backend().start(msgspec.structs.replace(spec(), image=image), fresh=True, deadline=soon())
    assert "panicked" in str(caught.value)
    assert "console lines" in str(caught.value)


def test_a_deadline_too_short():
    with pytest.raises(GuestStartError, match="did not come up"):
        backend().start(spec(), fresh=True, deadline=Deadline.after(0.5))


def test_a_kernel_that_is_gone(tmp_path):
    kernel = msgspec.structs.replace(spec().kernel, image=tmp_path / "vmlinuz")
    with pytest.raises(HostError, match="is gone"):
        backend().start(msgspec.structs.replace(spec(), kernel=kernel), deadline=soon())


def test_a_file_qemu_cannot_boot(tmp_path):
    """QEMU's own words reach the user."""
    image = tmp_path / "vmlinuz"
    image.write_bytes(b"not a kernel")
    kernel = msgspec.structs.replace(spec().kernel, image=image, identity="broken")
    with pytest.raises(GuestStartError, match="did not come up"):
        backend().start(
            msgspec.structs.replace(spec(), kernel=kernel),
            fresh=True,
            deadline=Deadline.after(10),
        )
