"""The parts of the engine's first half that need no kernel."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from threading import Event

import msgspec
import pytest

from lpharness.base.errors import HostError
from lpharness.engine.compiler import Compiler
from lpharness.engine.objects.makefiles import Makefiles, _may_lead, _normal
from lpharness.engine.objects.pairs import comparing_flags
from lpharness.engine.objects.process import in_parallel, run
from lpharness.engine.objects.unit import Unit, module_name

COMMAND = (
    "gcc-12 -Wp,-MMD,fs/a/.b-c.o.d -DMODULE -DKBUILD_MODNAME='\"b_c\"' "
    "-c -o fs/a/b-c.o fs/a/b-c.c ; ./tools/objtool/objtool --orc fs/a/b-c.o"
)


def unit(*, module: bool, name: str = "b-c") -> Unit:
    return Unit(
        source="fs/a/b-c.c", object="fs/a/b-c.o", module=module, name=name, command=COMMAND,
        folder="fs/a",
    )  # fmt: skip


def test_livepatch_names_modules_with_underscores() -> None:
    assert unit(module=True).object_name == "b_c"
    assert unit(module=False).object_name == "vmlinux"
    assert module_name(COMMAND) == "b_c"


def test_flags_come_after_kbuilds_and_before_objtool() -> None:
    command = unit(module=True).with_flags("-g0", "-O1")
    assert command == COMMAND.replace(" -c -o", " -g0 -O1 -c -o")


@pytest.mark.parametrize(
    ("command", "version", "typed", "added"),
    [
        ("", "gcc-12 (D) 12.2.0", False, ()),
        ("", "gcc-12 (D) 12.2.0", True, ("-gbtf",)),
        ("", "Debian clang version 14.0.6", True, ()),
        # A string more changes what KASAN is told of at boot.
        ("-fsanitize=kernel-address", "gcc-12 (D) 12.2.0", False, ("--param", "asan-globals=0")),
        ("-fsanitize=kernel-address", "Debian clang version 14.0.6", False, ()),
    ],
)
def test_what_is_to_be_compared_is_compiled_for_that(
    command: str, version: str, typed: bool, added: tuple[str, ...]
) -> None:
    compiler = Compiler(command="cc", version=version)
    one = msgspec.structs.replace(unit(module=False), command=f"cc {command} -c -o a.o a.c")
    flags = comparing_flags(one, compiler, typed=typed)
    assert flags == ("-g0", "-ffunction-sections", "-fdata-sections", *added)


def test_preprocessing_leaves_objtool_out() -> None:
    command = unit(module=True).preprocessing("-E")
    assert command.endswith("-E fs/a/b-c.c")
    assert "objtool" not in command


def test_an_unknown_command_is_an_error_of_ours() -> None:
    strange = Unit(source="a.c", object="a.o", module=False, name="a", command="cc a.c", folder=".")
    with pytest.raises(HostError, match="unknown form"):
        strange.with_flags("-g0")


@pytest.mark.parametrize(
    ("at", "name", "wanted", "leads"),
    [
        (".", "fs", "fs/ext4/super.o", True),
        (".", "net", "fs/ext4/super.o", False),
        ("fs", "fs/ext4", "fs/ext4/super.o", True),
        ("fs", "fs/proc", "fs/ext4/super.o", False),
        # drivers/gpu/drm/amd/amdgpu/Makefile builds what lies in drivers/gpu/drm/amd/display
        ("gpu/drm", "gpu/drm/amd/amdgpu", "gpu/drm/amd/display/dc.o", True),
    ],
)
def test_only_folders_on_the_way_are_asked(at: str, name: str, wanted: str, leads: bool) -> None:
    assert _may_lead(at, name, wanted) is leads


def test_objects_are_spelled_as_the_makefile_beside_spells_them() -> None:
    spelled = Makefiles._spelled("gpu/drm/amd/display/dc.o", "gpu/drm/amd/amdgpu")
    assert spelled == "gpu/drm/amd/amdgpu/../display/dc.o"
    assert _normal(spelled) == "gpu/drm/amd/display/dc.o"
    assert Makefiles._spelled("fs/ext4/x.o", "fs/ext4") == "fs/ext4/x.o"


def test_a_failure_stops_the_other_programs(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()

    def fails(stop: Event) -> None:
        raise HostError("no")

    ended: list[str] = []

    def lasts(stop: Event) -> None:
        try:
            run(["sleep", "600"], folder=tmp_path / "work", environment={}, what="sleep", stop=stop)
        except HostError as error:
            ended.append(error.message)
            raise

    with pytest.raises(HostError, match=r"^no$"):
        in_parallel([lasts, fails, lasts], jobs=3)
    assert set(ended) <= {"stopped while about to sleep"}


def _ten_times(number: int, stop: Event) -> int:
    assert not stop.is_set()
    return number * 10


def test_results_come_in_the_order_of_their_tasks() -> None:
    seen: list[int] = []
    tasks = [partial(_ten_times, number) for number in range(5)]
    assert in_parallel(tasks, jobs=2, tell=seen.append) == [0, 10, 20, 30, 40]
    assert seen == [1, 2, 3, 4, 5]


def test_streams_and_status_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    done = run(["sh", "-c", "echo out; echo err >&2; exit 3"], folder=tmp_path / "work",
               environment={"X": "1"}, what="try")  # fmt: skip
    assert (done.status, done.output, done.said) == (3, b"out\n", "err\n")
