"""What a guest's kernel is told."""

from pathlib import Path

from lpharness.guests.contract import GuestSpec
from lpharness.guests.qemu_command import kernel_command_line
from lpharness.images.model import Image
from lpharness.kernels.model import Kernel, KernelOrigin

NOWHERE = Path("/nonexistent")
KERNEL = Kernel(
    release="6.1", flavour="", arch="amd64", image=NOWHERE, modules=NOWHERE, config={},
    origin=KernelOrigin(spec="files:"), identity="k",
)  # fmt: skip
IMAGE = Image(
    recipe="minimal", identity="i", initramfs=NOWHERE, memory_mb=128, provides=frozenset()
)


def test_a_kernel_does_not_count_ticks_that_a_busy_host_keeps_away() -> None:
    """Seen on clean guests: ``Kernel panic - not syncing: IO-APIC + timer doesn't work!``."""
    spec = GuestSpec(kernel=KERNEL, image=IMAGE, kernel_arguments=("quiet",))
    assert kernel_command_line(spec) == "console=ttyS0 panic=-1 no_timer_check quiet"
