"""The commands on cases and modules: what they print, and how they exit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from elf_support import Func, Obj, Shape, module

from lpharness.cases import bundled

GOOD = Shape([Obj(None, [Func("some_function")]), Obj("mod", [Func("other", 2)])], states=[(7, 1)])


def lpharness(*words: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from lpharness.cli.main import main; main()"]
    return subprocess.run(
        [*command, *map(str, words)], capture_output=True, text=True, check=False, cwd=cwd
    )


def test_list_names_every_bundled_case() -> None:
    done = lpharness("case", "list", "--json")
    assert done.returncode == 0
    assert [case["name"] for case in json.loads(done.stdout)] == bundled()
    done = lpharness("case", "list")
    assert all(name in done.stdout for name in bundled())


@pytest.mark.parametrize("name", bundled())
def test_show(name: str) -> None:
    shown = lpharness("case", "show", name)
    assert shown.returncode == 0
    assert shown.stdout.startswith(f"{name}: ")
    assert json.loads(lpharness("case", "show", name, "--json").stdout)["name"] == name


def test_new_writes_a_case_and_says_how_to_run_it(tmp_path: Path) -> None:
    done = lpharness("case", "new", "mine", cwd=tmp_path)
    assert done.returncode == 0
    assert "lpharness run ./mine -k" in done.stdout
    assert lpharness("case", "show", "./mine", cwd=tmp_path).returncode == 0
    other = lpharness("case", "new", "other", "--json", cwd=tmp_path)
    assert json.loads(other.stdout) == {"file": "other/case.toml"}
    again = lpharness("case", "new", "mine", cwd=tmp_path)
    assert again.returncode == 2
    assert again.stderr.startswith("lpharness: mine is there already\n  hint: ")


def test_inspect_shows_what_is_patched(tmp_path: Path) -> None:
    done = lpharness("inspect", module(GOOD, tmp_path))
    assert done.returncode == 0
    assert "vmlinux:some_function → new_0_0" in done.stdout
    assert "mod:other,2 → new_1_0" in done.stdout
    assert "0x7 v1" in done.stdout


def test_inspect_prints_one_document(tmp_path: Path) -> None:
    done = lpharness("inspect", module(GOOD, tmp_path), "--json")
    read = json.loads(done.stdout)
    assert [fit["old"] for fit in read["fits"]] == ["some_function", "other"]
    assert read["livepatch"]["name"] == "lph_made"


def test_inspect_exits_by_what_it_found(tmp_path: Path) -> None:
    unmarked = module(Shape([Obj(None, [Func("f")])], marked=False), tmp_path)
    done = lpharness("inspect", unmarked)
    assert done.returncode == 1
    assert "✗ not marked as a livepatch" in done.stdout
    truncated = tmp_path / "cut.ko"
    truncated.write_bytes(unmarked.read_bytes()[:-2000])
    for file in (truncated, tmp_path / "none.ko", "/bin/true", "/dev/zero"):
        done = lpharness("inspect", file)
        assert done.returncode == 2
        assert done.stdout == ""
        assert done.stderr.startswith(f"lpharness: {file}: ")
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("key", "value", "hint"),
    [("workloads", '["proc-raeder"]', "proc-reader"), ("image", '"minmal"', "minimal")],
)
def test_show_refuses_what_is_named_but_not_there(
    key: str, value: str, hint: str, tmp_path: Path
) -> None:
    lpharness("case", "new", "mine", cwd=tmp_path)
    file = tmp_path / "mine/case.toml"
    rest = [line for line in file.read_text().splitlines() if not line.startswith(key)]
    title = next(number for number, line in enumerate(rest) if line.startswith("title"))
    file.write_text("\n".join([*rest[: title + 1], f"{key} = {value}", *rest[title + 1 :]]))
    done = lpharness("case", "show", "./mine", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"did you mean '{hint}'?" in done.stderr


@pytest.mark.parametrize(
    ("what", "says"),
    [("cmdlin", "hint: did you mean cmdline?"), ("none.patch", "cannot read none.patch: No such")],
)
def test_build_refuses_what_is_not_there_before_it_looks_for_a_kernel(
    what: str, says: str, tmp_path: Path
) -> None:
    done = lpharness("build", what, "-k", "debian:0.1-cloud", cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr
