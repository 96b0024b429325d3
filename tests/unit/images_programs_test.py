"""Compiling the guest's own programs."""

import shutil
import subprocess
from pathlib import Path

import pytest

from lpharness.base.cache import Cache
from lpharness.base.errors import BuildError, HostError, InputError
from lpharness.base.resources import data_dir
from lpharness.images import programs
from lpharness.images.programs import compile_program, compile_source, program_names


@pytest.fixture
def sources(tmp_path, monkeypatch) -> Path:
    """A folder of sources in the place of the bundled ones."""
    folder = tmp_path / "images/programs"
    (folder / "hello").mkdir(parents=True)
    (folder / "shared.h").write_text("#define STATUS 3\n")
    (folder / "hello/part.h").write_text("int part(void);\n")
    (folder / "hello/part.c").write_text(
        '#include "part.h"\n#include "shared.h"\nint part(void) { return STATUS; }\n'
    )
    (folder / "hello.c").write_text('#include "part.h"\nint main(void) { return part(); }\n')
    monkeypatch.setattr(programs, "data_dir", lambda name: tmp_path / name)
    return folder


def run(path: Path) -> int:
    return subprocess.run([path], check=False).returncode


def test_a_program_may_have_a_folder_of_parts(sources: Path, tmp_path: Path) -> None:
    assert run(compile_program("hello", cache=Cache(tmp_path / "cache"))) == 3


def test_a_header_that_changes_makes_it_anew(sources: Path, tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    first = compile_program("hello", cache=cache)
    assert compile_program("hello", cache=cache) == first
    (sources / "shared.h").write_text("#define STATUS 4\n")
    second = compile_program("hello", cache=cache)
    assert (run(first), run(second)) == (3, 4)


def test_the_bytes_do_not_depend_on_the_place(sources: Path, tmp_path, monkeypatch) -> None:
    first = compile_program("hello", cache=Cache(tmp_path / "cache")).read_bytes()
    shutil.copytree(sources, tmp_path / "elsewhere/deep/images/programs")
    monkeypatch.setattr(programs, "data_dir", lambda name: tmp_path / "elsewhere/deep" / name)
    second = compile_program("hello", cache=Cache(tmp_path / "other")).read_bytes()
    assert first == second
    assert str(tmp_path).encode() not in first


@pytest.mark.parametrize("text", ["int main(void) { return x; }", "int main(void) { int a; }"])
def test_errors_and_warnings_are_refused_in_one_line(sources: Path, tmp_path, text: str) -> None:
    (sources / "hello.c").write_text(text)
    with pytest.raises(HostError, match=r"hello does not compile: hello\.c:1:") as raised:
        compile_program("hello", cache=Cache(tmp_path / "cache"))
    assert "\n" not in raised.value.message
    assert not list((tmp_path / "cache/programs").glob("[!.]*"))


@pytest.mark.parametrize("name", ["helo", "../programs/hello", "hello/part"])
def test_there_is_no_other_program(sources: Path, name: str) -> None:
    with pytest.raises(InputError, match="no guest program"):
        compile_program(name)


def test_a_case_s_own_source_is_compiled_with_the_headers_beside_it(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    (tmp_path / "status.h").write_text("#define STATUS 5\n")
    source = tmp_path / "trigger.c"
    source.write_text('#include "status.h"\nint main(void) { return STATUS; }\n')
    first = compile_source(source, cache=cache)
    assert (first.name, run(first)) == ("trigger", 5)
    assert compile_source(source, cache=cache) == first
    (tmp_path / "status.h").write_text("#define STATUS 6\n")
    assert run(compile_source(source, cache=cache)) == 6


def test_a_case_s_own_source_that_does_not_compile_is_the_case_s_fault(tmp_path: Path) -> None:
    source = tmp_path / "trigger.c"
    source.write_text("int main(void) { return x; }")
    with pytest.raises(BuildError, match=r"trigger does not compile: trigger\.c:1:"):
        compile_source(source, cache=Cache(tmp_path / "cache"))


def test_a_missing_compiler_names_the_package(sources: Path, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    programs.find_compiler.cache_clear()
    try:
        with pytest.raises(HostError) as raised:
            compile_program("hello", cache=Cache(tmp_path / "cache"))
    finally:
        programs.find_compiler.cache_clear()
    assert raised.value.hint is not None
    assert "musl-tools" in raised.value.hint


def test_gcc_does_where_there_is_no_musl(sources: Path, tmp_path, monkeypatch) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("gcc", "as", "ld"):
        found = shutil.which(tool)
        if not found:
            pytest.skip(f"no {tool}")
        (tools / tool).symlink_to(found)
    monkeypatch.setenv("PATH", str(tools))
    programs.find_compiler.cache_clear()
    try:
        assert programs.find_compiler().command == "gcc"
        assert run(compile_program("hello", cache=Cache(tmp_path / "cache"))) == 3
    finally:
        programs.find_compiler.cache_clear()


@pytest.mark.parametrize("name", program_names())
def test_bundled_programs_are_static(name: str) -> None:
    path = compile_program(name)
    header = subprocess.run(
        ["readelf", "-lW", path], capture_output=True, text=True, check=True
    ).stdout
    assert "INTERP" not in header
    assert path.stat().st_size < 1_000_000  # some 80 kB with musl, 800 with glibc


def test_bundled_programs_pass_cppcheck() -> None:
    if not shutil.which("cppcheck"):
        pytest.skip("no cppcheck")
    folder = data_dir("images") / "programs"
    mine = [folder / "init.c", folder / "workload.c", folder / "workload"]
    done = subprocess.run(
        ["cppcheck", "--enable=warning,performance,portability", "--quiet", "--std=c11",
         "--error-exitcode=1", f"-I{folder}/workload", *mine],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
