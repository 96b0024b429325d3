"""A real external module against real headers, put together without root."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from lpharness.base.errors import HostError
from lpharness.kernels import resolve, with_headers

SOURCE = """#include <linux/module.h>
static int __init tiny_init(void)
{
	pr_info("tiny\\n");
	return 0;
}
static void __exit tiny_exit(void) { }
module_init(tiny_init);
module_exit(tiny_exit);
MODULE_LICENSE("GPL");
"""


@pytest.mark.skipif(
    not all(map(shutil.which, ("make", "gcc-12", "apt-get"))), reason="needs make, gcc-12 and apt"
)
@pytest.mark.parametrize("spec", ["debian:6.1-cloud", "debian:6.12-cloud"])
def test_a_module_is_built(spec: str, tmp_path: Path) -> None:
    try:
        kernel = with_headers(resolve(spec))
    except HostError as error:
        pytest.skip(f"no archive: {error}")
    (tmp_path / "tiny.c").write_text(SOURCE)
    (tmp_path / "Makefile").write_text("obj-m := tiny.o\n")
    done = subprocess.run(
        ["make", "-C", str(kernel.headers), f"M={tmp_path}", "modules"],
        check=False, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"vermagic={kernel.release} SMP".encode() in (tmp_path / "tiny.ko").read_bytes()
    assert "/usr/src/linux" not in done.stdout.replace(str(kernel.headers.parent), "")  # type: ignore[union-attr]
