"""File and line of a stack's frames, from objects that the host's compiler made."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lpharness.base.errors import InputError
from lpharness.elf.lines import frames_in, source_places

SOURCE = """
int sink;
static inline __attribute__((always_inline)) int inner(int *p)
{
	sink = *p * 3;
	return sink;
}
__attribute__((section(".text.other"))) int second(int *p)
{
	return inner(p) + 1;
}
int first(int *p)
{
	sink = 1;
	return second(p) + 2;
}
"""


def compiled(folder: Path, *flags: str) -> Path:
    (folder / "unit.c").write_text(SOURCE)
    command = ["gcc", "-O1", "-fno-optimize-sibling-calls", *flags]
    command += [f"-ffile-prefix-map={folder}=.", "-c", str(folder / "unit.c")]
    subprocess.run([*command, "-o", str(folder / "unit.o")], check=True, cwd=folder)
    return folder / "unit.o"


def size_of(file: Path, function: str) -> int:
    said = subprocess.run(["nm", "-S", str(file)], capture_output=True, text=True, check=True)
    row = next(line.split() for line in said.stdout.splitlines() if line.endswith(f" {function}"))
    return int(row[1], 16)


@pytest.mark.parametrize(
    ("line", "text", "module", "exact"),
    [
        (" do_exit+0x2c/0xae0", "do_exit+0x2c/0xae0", "", False),
        ("RIP: 0010:lph_show+0x1/0x30 [lph_x]", "lph_show+0x1/0x30 [lph_x]", "lph_x", True),
        (" ? f.cold+0x1/0x2 [m 0123456789abcdef]", "f.cold+0x1/0x2 [m]", "m", False),
    ],
)
def test_frames_are_read_as_the_kernel_prints_them(
    line: str, text: str, module: str, exact: bool
) -> None:
    (frame,) = frames_in(line)
    assert (frame.text, frame.module, frame.exact) == (text, module, exact)


def test_a_line_without_a_frame_has_none() -> None:
    assert frames_in("lph_case: loading out-of-tree module taints kernel.") == []


def test_each_section_of_a_module_is_looked_up_by_itself(tmp_path: Path) -> None:
    """In a relocatable file the addresses of all sections begin at zero."""
    file = compiled(tmp_path, "-g1")
    first, second = size_of(file, "first"), size_of(file, "second")
    frames = frames_in(f"RIP: 0010:first+0x0/{first:#x}")
    frames += frames_in(f"RIP: 0010:second+0x0/{second:#x}")
    places = source_places(file, frames)
    assert places[f"first+0x0/{first:#x}"] in ("unit.c:13", "unit.c:14")
    assert places[f"second+0x0/{second:#x}"].startswith(("unit.c:9", "unit.c:5 (inlined at"))


def test_what_was_inlined_is_told_with_where(tmp_path: Path) -> None:
    file = compiled(tmp_path, "-g")
    size = size_of(file, "second")
    places = {
        source_places(file, frames_in(f"RIP: 0010:second+{at:#x}/{size:#x}"))[
            f"second+{at:#x}/{size:#x}"
        ]
        for at in range(size)
    }
    assert "unit.c:5 (inlined at unit.c:10)" in places


def test_a_return_address_is_of_the_call_before_it(tmp_path: Path) -> None:
    file = compiled(tmp_path, "-g1")
    size = size_of(file, "first")
    (frame,) = frames_in(f" first+{size - 4:#x}/{size:#x}")
    assert not frame.exact
    assert source_places(file, [frame])[frame.text] == "unit.c:15"


def test_a_frame_of_an_unknown_function_is_left_out(tmp_path: Path) -> None:
    assert source_places(compiled(tmp_path, "-g1"), frames_in(" nobody+0x1/0x10")) == {}


def test_a_file_without_lines_is_refused_by_name(tmp_path: Path) -> None:
    file = compiled(tmp_path, "-g0")
    with pytest.raises(InputError, match="no debug information"):
        source_places(file, frames_in(" first+0x1/0x10"))


def test_a_file_that_is_no_elf_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "vmlinux"
    file.write_bytes(b"no kernel" * 100)
    with pytest.raises(InputError, match="cannot be read"):
        source_places(file, frames_in(" first+0x1/0x10"))


def test_a_functions_very_beginning_is_no_return_address(tmp_path: Path) -> None:
    """As lockdep names who has taken an RCU read side."""
    file = compiled(tmp_path, "-g1")
    size = size_of(file, "first")
    places = source_places(file, frames_in(f" at: first+0x0/{size:#x}"))
    assert places[f"first+0x0/{size:#x}"] in ("unit.c:13", "unit.c:14")
