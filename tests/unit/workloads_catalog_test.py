"""The catalogue of workloads and the commands that it gives."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from lpharness import workloads
from lpharness.base.errors import InputError
from lpharness.cases.model import Drive
from lpharness.images.programs import compile_program
from lpharness.images.recipe import recipe_names
from lpharness.workloads.catalog import SUITE
from lpharness.workloads.syscalls import syscall_number

ALL = Drive(file="/proc/a b", syscall="personality", arguments=(0xFFFFFFFF, -1), park="pause")


def test_the_names_are_those_of_the_program() -> None:
    usage = subprocess.run(
        [compile_program("workload")], capture_output=True, text=True, check=False
    ).stderr
    kinds = [line.split()[0] for line in usage.splitlines() if line.startswith("  ")]
    known = dict.fromkeys(workloads.find(name).kind for name in workloads.names())
    assert list(known) == kinds


def test_a_crowd_has_as_many_tasks_as_its_name_says() -> None:
    for name, count in (("crowd", "100"), ("crowd-1", "1"), ("crowd-10000", "10000")):
        words = shlex.split(workloads.find(name).command(Drive(), 2))
        assert words[words.index("--tasks") + 1] == count
        assert workloads.find(name).name == name


@pytest.mark.parametrize(
    "name", ["crowd-0", "crowd-", "crowd--1", "crowd-x", "idle-3", "crowd-10001"]
)
def test_no_other_number_goes(name: str) -> None:
    with pytest.raises(InputError):
        workloads.find(name)


@pytest.mark.parametrize("name", workloads.names())
def test_each_has_a_command_an_image_and_a_description(name: str) -> None:
    workload = workloads.find(name)
    words = shlex.split(workload.command(ALL, 3))
    # exec: a shell in between would take the SIGTERM, and the exit status with it.
    assert words[:5] == ["exec", "/lph/workload", workload.kind, "--workers", "3"]
    assert not [word for word in words if "{" in word]
    assert workload.name == name
    assert workload.image in recipe_names()
    assert workload.description


def test_what_the_case_drives_is_quoted() -> None:
    assert "'/proc/a b'" in workloads.find("proc-reader").command(ALL, 1)


def test_system_calls_go_by_number_and_keep_their_arguments() -> None:
    command = workloads.find("syscall-hammer").command(ALL, 2)
    assert command.endswith("--syscall 135 -- 4294967295 -1")


@pytest.mark.parametrize(
    ("name", "key"), [("proc-reader", "file"), ("syscall-hammer", "syscall"), ("sleepers", "park")]
)
def test_a_case_that_lacks_a_key_is_told_which(name: str, key: str) -> None:
    with pytest.raises(InputError, match=f"workload {name} needs `{key}`"):
        workloads.find(name).command(Drive(), 1)


def test_what_a_workload_brings_along_is_there() -> None:
    bringing = [workloads.find(name) for name in workloads.names() if workloads.find(name).source]
    assert [workload.name for workload in bringing] == ["ftrace-selftest"]
    for workload in bringing:
        script = Path(workloads.__file__).with_name(workload.script)
        assert os.access(script, os.X_OK)
        assert f"{SUITE}/{script.name}" in workload.arguments


def test_only_sleepers_have_something_to_release() -> None:
    holding = [name for name in workloads.names() if workloads.find(name).release]
    assert holding == ["sleepers"]


def test_unknown_names_name_the_nearest() -> None:
    with pytest.raises(InputError, match="no workload 'fork-strom'") as raised:
        workloads.find("fork-strom")
    assert raised.value.hint == "did you mean 'fork-storm'?"
    with pytest.raises(InputError, match="no system call 'personalty'") as raised:
        syscall_number("personalty")
    assert raised.value.hint == "did you mean 'personality'?"
    with pytest.raises(InputError, match="cannot be parked in 'paus'") as raised:
        workloads.find("sleepers").command(Drive(park="paus"), 1)
    assert raised.value.hint == "did you mean 'pause'?"


def test_numbers_are_the_abi_s() -> None:
    # From the x86-64 ABI's own table: the first, one in the middle, one of the newer.
    assert [syscall_number(name) for name in ("read", "personality", "io_uring_setup")] == [
        0,
        135,
        425,
    ]
    assert syscall_number("39") == 39
