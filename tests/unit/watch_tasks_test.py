"""When a task moved, as the guest's program tells it: never surer than it can be."""

import json
import subprocess
from pathlib import Path

from lpharness.base.resources import data_dir


def test_a_move_lies_between_two_looks_however_long_each_takes(tmp_path: Path) -> None:
    """The stamp of a look that found the old state is from before it: afterwards it may be old."""
    watch = data_dir("images") / "programs" / "watch"
    flags = ["-O1", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined", f"-I{watch}"]
    renamed = tmp_path / "tasks.o"
    subprocess.run(
        ["gcc", *flags, "-Dread_file=slow_read_file", "-c", watch / "tasks.c", "-o", renamed],
        check=True,
    )
    program, slowly = tmp_path / "sweep", Path(__file__).with_name("watch_tasks_slowly.c")
    subprocess.run(["gcc", *flags, slowly, watch / "common.c", renamed, "-o", program], check=True)
    told = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    lines = [json.loads(line) for line in told.splitlines()]
    (moved,) = [line for line in lines if line["e"] == "moved"]
    (read,) = [line for line in lines if line["e"] == "read"]
    assert 0 < moved["after"] <= read["old"]
    assert moved["t"] >= read["new"]
