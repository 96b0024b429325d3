"""What a guest's kernel is told."""

from pathlib import Path

import pytest
from msgspec import structs

from lpharness.guests import qemu_command
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
    line = kernel_command_line(spec, "kvm")
    assert line == "console=ttyS0 panic=-1 no_timer_check quiet"


@pytest.mark.parametrize(
    ("arch", "accelerator", "here", "rate", "told"),
    [
        ("amd64", "tcg", True, 2_596_146, True),
        ("amd64", "tcg", True, None, False),
        ("amd64", "tcg", False, 2_596_146, False),
        ("amd64", "kvm", True, 2_596_146, False),
        ("ppc64el", "tcg", True, 2_596_146, False),
    ],
)
def test_an_emulated_kernel_is_told_how_fast_the_hosts_counter_is(
    arch: str,
    accelerator: str,
    here: bool,
    rate: int | None,
    told: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Left to measure it on a busy host, a clean guest's was wrong by a factor of five."""
    monkeypatch.setattr(qemu_command, "tsc_khz", lambda: rate)
    spec = GuestSpec(kernel=structs.replace(KERNEL, arch=arch), image=IMAGE)
    words = kernel_command_line(spec, accelerator, here=here).split()
    assert ("tsc_early_khz=2596146" in words, "tsc=reliable" in words) == (told, told)
