"""The rate of the host's counter, as its own kernel has it where that can be asked."""

import platform
import re
import subprocess

import pytest

from lpharness.guests.tsc import measure_khz, tsc_khz

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="only an x86 host has this counter"
)


def test_measured_twice_it_is_the_same() -> None:
    """Within what a busy host does to two readings of a clock, 0.2 s apart."""
    first, second = measure_khz(), measure_khz()
    assert second == pytest.approx(first, rel=1e-3)
    assert tsc_khz() == pytest.approx(first, rel=1e-3)


def test_it_is_what_the_hosts_kernel_says() -> None:
    said = subprocess.run(["dmesg"], capture_output=True, text=True, check=False).stdout
    found = re.findall(
        r"tsc: (?:Detected|Refined TSC clocksource calibration:) ([0-9.]+) MHz", said
    )
    if not found:
        pytest.skip("the host's kernel does not tell its counter's rate")
    assert measure_khz() == pytest.approx(float(found[-1]) * 1e3, rel=1e-3)
