"""Lines of tracefs' ``enabled_functions``, as guests wrote them."""

from __future__ import annotations

import pytest

from lpharness.engine.observe import whose


@pytest.mark.parametrize(
    ("line", "function", "owner"),
    [
        (
            "cmdline_proc_show (1) R I     M \ttramp: 0xffffffffc0364000 "
            "(klp_ftrace_handler+0x0/0x270) ->klp_ftrace_handler+0x0/0x270",
            "cmdline_proc_show",
            "vmlinux",
        ),
        (
            "cmdline_proc_show [lph_src_cmdline] (1) R  \ttramp: 0xffffffffc05c0000 "
            "(kprobe_ftrace_handler+0x0/0x1b0) ->kprobe_ftrace_handler+0x0/0x1b0",
            "cmdline_proc_show",
            "lph_src_cmdline",
        ),
        ("ext4_mb_init_group [ext4] (1)", "ext4_mb_init_group", "ext4"),
    ],
)
def test_whose_function_a_line_is_about(line: str, function: str, owner: str) -> None:
    assert whose(line) == (function, owner)
