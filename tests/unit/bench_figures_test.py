"""What is measured of this process itself."""

import subprocess
import sys

from lpharness.bench.figures import own_memory_mib

SMALL = "from lpharness.bench.figures import own_memory_mib; print(own_memory_mib())"


def test_memory_is_ones_own_and_not_that_of_who_started_one() -> None:
    mine = bytearray(200 << 20)  # zeroes: each page is touched
    assert own_memory_mib() > 200
    small = subprocess.run(
        [sys.executable, "-c", SMALL], capture_output=True, text=True, check=True
    )
    assert float(small.stdout) < 100
    del mine
