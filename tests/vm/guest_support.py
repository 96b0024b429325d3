"""The guest that the VM tests use: the newest 6.1 cloud kernel with the minimal image."""

import functools
import shutil

import pytest

from lpharness.base.deadline import Deadline
from lpharness.base.errors import HostError
from lpharness.engine.guest_image import guest_image
from lpharness.guests.contract import GuestSpec
from lpharness.kernels import resolve

KERNEL = "debian:6.1-cloud"


@functools.cache
def spec(name: str = KERNEL) -> GuestSpec:
    """Return the spec; the kernel and the image come from the cache or the archive."""
    if shutil.which("qemu-system-x86_64") is None:
        pytest.skip("QEMU is not installed")
    try:
        kernel = resolve(name)
        return GuestSpec(kernel=kernel, image=guest_image("minimal", kernel))
    except HostError as error:
        pytest.skip(f"no kernel or image: {error}")


def soon() -> Deadline:
    """Return a deadline far beyond what is needed, so that no test depends on the host's speed."""
    return Deadline.after(90)
