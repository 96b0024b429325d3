"""The C programs that bundled cases carry."""

import shutil
import subprocess

import pytest

from lpharness.cases import bundled, load
from lpharness.trial.programs import build_programs

WITH_PROGRAMS = [name for name in bundled() if load(name).programs]


@pytest.mark.parametrize("name", WITH_PROGRAMS)
def test_a_case_s_programs_are_static_and_small(name: str) -> None:
    programs = build_programs(load(name))
    assert len(programs) == len(load(name).programs)
    for program in programs:
        header = subprocess.run(
            ["readelf", "-lW", program], capture_output=True, text=True, check=True
        ).stdout
        assert "INTERP" not in header
        assert program.stat().st_size < 1_000_000  # some 40 kB with musl, 800 with glibc


def test_the_cases_programs_pass_cppcheck() -> None:
    if not shutil.which("cppcheck"):
        pytest.skip("no cppcheck")
    cases = [load(name) for name in WITH_PROGRAMS]
    sources = [case.folder / name for case in cases if case.folder for name in case.programs]
    done = subprocess.run(
        ["cppcheck", "--enable=warning,performance,portability", "--quiet", "--std=c11",
         "--error-exitcode=1", *sources],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
