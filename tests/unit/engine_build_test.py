"""How a build is refused, and what a module is held to (real builds: engine_modules_test)."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import psutil
import pytest
from elf_support import Func, Obj, Shape, module

from lpharness.base.errors import BuildError, HostError, InputError
from lpharness.cases.model import Built, Case, Function, ModuleSource, Outcome, Probe
from lpharness.elf.livepatch import KlpRelocations, KlpSymbol
from lpharness.engine.asserted import hold_against_case
from lpharness.engine.build import build_module
from lpharness.engine.compiler import Compiler, find_compiler, require_tools
from lpharness.engine.emit import build_diff
from lpharness.engine.kbuild import compile_module
from lpharness.kernels.model import Kernel, KernelOrigin

# Enough of kbuild's outside to run the real compiler on what it is given.
MAKEFILE = """
modules:
\t@$(CC) $(KCFLAGS) -ffreestanding -c $(M)/made.c -o $(M)/made.ko
\t@echo "ran as $(KBUILD_BUILD_USER), secret is [$(SECRET)]"
"""
GCC = Compiler(command="gcc", version="gcc")


def kernel(compiler: str) -> Kernel:
    nowhere = Path("/nonexistent")
    return Kernel(
        release="6.1.0-made",
        flavour="",
        arch="amd64",
        image=nowhere,
        modules=nowhere,
        config={"CONFIG_CC_VERSION_TEXT": compiler} if compiler else {},
        origin=KernelOrigin(spec=""),
        identity="x",
    )


def tool(folder: Path, name: str, first_line: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\necho '{first_line}'\n")
    (folder / name).chmod(0o755)


@pytest.mark.parametrize(
    ("built_with", "tools", "command", "differs"),
    [
        ("gcc-12 (Debian 12.2.0-14) 12.2.0", {"gcc-12": "gcc-12 (Debian 12.2.0-14) 12.2.0"},
         "gcc-12", False),
        ("gcc-12 (Debian 12.2.0-14) 12.2.0", {"gcc-12": "gcc-12 (Debian 12.2.0-15) 12.2.0"},
         "gcc-12", True),
        ("x86_64-linux-gnu-gcc-12 (Debian 12.2.0-14) 12.2.0",
         {"gcc-12": "gcc-12 (Debian 12.2.0-14) 12.2.0"}, "gcc-12", False),
        ("gcc (GCC) 13.2.1 20230801", {}, None, None),
        ("gcc (GCC) 13.2.1 20230801 (Red Hat 13.2.1-1)",
         {"gcc": "gcc (GCC) 13.2.1 20230801 (Red Hat 13.2.1-1)"}, "gcc", False),
        ("gcc (GCC) 13.2.1", {"gcc": "gcc (Debian 12.2.0) 12.2.0", "gcc-13": "gcc-13 (D) 13.3.0"},
         "gcc-13", True),
        ("Debian clang version 14.0.6", {"clang": "Debian clang version 14.0.6"}, "clang", False),
        ("Debian clang version 14.0.6",
         {"clang": "Debian clang version 16.0.6", "clang-14": "Debian clang version 14.0.7"},
         "clang-14", True),
    ],
)  # fmt: skip
def test_finds_the_kernels_compiler(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    built_with: str,
    tools: dict[str, str],
    command: str | None,
    differs: bool | None,
) -> None:
    for name, line in tools.items():
        tool(tmp_path / "bin", name, line)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin")
    if command is None:
        with pytest.raises(BuildError):
            find_compiler(kernel(built_with))
        return
    found = find_compiler(kernel(built_with))
    assert found.command == command
    assert bool(found.differs) is differs


def test_refuses_by_the_compilers_name_and_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool(tmp_path / "bin", "gcc", "gcc (Debian 12.2.0-14) 12.2.0")
    tool(tmp_path / "bin", "gcc-14", "gcc-14 (lies) 13.1.0")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin")
    with pytest.raises(
        BuildError, match=r"gcc-14 \(Debian 14\.2\.0\) 14\.2\.0, and no gcc 14"
    ) as e:
        find_compiler(kernel("gcc-14 (Debian 14.2.0) 14.2.0"))
    assert e.value.hint == "install it: apt install gcc-14"


def test_refuses_another_clang_by_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool(tmp_path / "bin", "clang", "Debian clang version 14.0.6")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin")
    with pytest.raises(BuildError, match=r"clang version 16\.0\.6, and no clang 16") as e:
        find_compiler(kernel("Debian clang version 16.0.6"))
    assert e.value.hint == "install it: apt install clang-16"


@pytest.mark.parametrize("built_with", ["", "icc (ICC) 19.1.3", "\n", "gcc", "clang version"])
def test_refuses_compilers_that_are_neither_gcc_nor_clang(built_with: str) -> None:
    with pytest.raises(BuildError, match="gcc and clang only"):
        find_compiler(kernel(built_with))


def test_names_missing_tools_and_their_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool(tmp_path / "bin", "sed", "")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin")
    with pytest.raises(HostError, match="make, ld, objcopy not found") as e:
        require_tools()
    assert e.value.hint == "install it: apt install binutils make"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    headers = tmp_path / "headers"
    headers.mkdir()
    (headers / "Makefile").write_text(MAKEFILE)
    (tmp_path / "case").mkdir()
    (tmp_path / "work").mkdir()
    return tmp_path


def compile_text(tree: Path, text: str) -> str:
    (tree / "case/source.c").write_text(text)
    built = compile_module(
        name="made",
        source=tree / "case/source.c",
        headers=tree / "headers",
        compiler=GCC,
        folder=tree / "work",
    )
    assert built.module == tree / "work/made.ko"
    return built.warnings


def test_headers_beside_the_source_can_be_included(tree: Path) -> None:
    (tree / "case/beside.h").write_text("#define ANSWER 42\n")
    compile_text(tree, '#include "beside.h"\nint x = ANSWER;\n')


def test_nothing_of_the_callers_environment_reaches_make(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SECRET", "KCFLAGS", "CC", "MAKEFLAGS", "ARCH"):
        monkeypatch.setenv(name, "from-outside")
    assert "ran as lpharness, secret is []" in compile_text(tree, "int x;\n")


def test_compiler_errors_name_the_cases_own_file(tree: Path) -> None:
    with pytest.raises(BuildError) as caught:
        compile_text(tree, "int x;\n\nint y = nonesuch;\n")
    first, *rest = caught.value.message.splitlines()
    assert first.startswith(f"{tree}/case/source.c:3: ")
    assert "nonesuch" in first
    assert any("int y = nonesuch;" in line for line in rest)
    assert f"{tree}/work" not in caught.value.message


def test_warnings_are_kept_with_the_cases_own_path(tree: Path) -> None:
    said = compile_text(tree, "#warning look here\nint x;\n")
    assert f"{tree}/case/source.c:1:" in said
    assert "look here" in said


def test_modpost_errors_are_put_first(tree: Path) -> None:
    makefile = 'modules:\n\t@echo "ERROR: modpost: \\"gone\\" [made.ko] undefined!"; exit 1\n'
    (tree / "headers/Makefile").write_text(makefile)
    with pytest.raises(BuildError, match=r'source\.c: "gone" \[made\.ko\] undefined!') as caught:
        compile_text(tree, "int x;\n")
    assert caught.value.hint == "the kernel exports no such symbol to modules"


def test_paths_that_make_cannot_bear_are_refused(tree: Path) -> None:
    spaced = tree / "with space"
    spaced.mkdir()
    (tree / "case/source.c").write_text("")
    with pytest.raises(HostError, match="space or colon"):
        compile_module(
            name="made",
            source=tree / "case/source.c",
            headers=tree / "headers",
            compiler=GCC,
            folder=spaced,
        )


BUILDER = """
import sys
from pathlib import Path
from lpharness.engine.emit import build_diff
from lpharness.engine.compiler import Compiler
from lpharness.engine.kbuild import compile_module
tree = Path(sys.argv[1])
compile_module(
    name="made", source=tree / "case/source.c", headers=tree / "headers",
    compiler=Compiler(command="gcc", version=""), folder=tree / "work",
)
"""


def test_an_interrupted_build_leaves_no_process_behind(tree: Path) -> None:
    (tree / "case/source.c").write_text("")
    started = tree / "started"
    os.mkfifo(started)
    (tree / "headers/Makefile").write_text(f"modules:\n\t@echo $$$$ > {started}; sleep 1000\n")
    with subprocess.Popen([sys.executable, "-c", BUILDER, str(tree)]) as builder:
        shell = int(started.read_text())  # blocks until make's child runs
        assert psutil.pid_exists(shell)
        builder.send_signal(signal.SIGINT)
        assert builder.wait(timeout=30) != 0
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(shell).wait(timeout=30)  # whoever inherited it reaps it
    assert not psutil.pid_exists(shell)


# --- a module and what its case says of it --------------------------------------------------


def prebuilt(
    folder: Path,
    *functions: Function,
    name: str = "lph_made",
    replaces: bool = False,
    built: Built | None = None,
) -> Case:
    module(Shape([Obj(None, [Func("f", 1)]), Obj("mod", [Func("g")])]), folder)
    return Case(
        title="t",
        name="c",
        folder=folder,
        modules=(
            ModuleSource(
                name=name,
                prebuilt="made.ko",
                functions=functions,
                replaces=replaces,
                built=built or Built(),
            ),
        ),
        probes=(Probe(name="p", run="true", states={"original": Outcome(), "patched": Outcome()}),),
    )


F = Function(old="f", sympos=1, new="new_0_0")
G = Function(old="g", object="mod")


@pytest.mark.parametrize("functions", [(), (F, G)])
def test_a_prebuilt_module_that_is_what_its_case_says(
    tmp_path: Path, functions: tuple[Function, ...]
) -> None:
    case = prebuilt(tmp_path, *functions)
    built = build_module(case, case.modules[0], kernel("gcc-12 (Debian) 12.2.0"))
    assert built.path == tmp_path / "made.ko"
    assert built.compiler == ""
    assert built.sha256 == built.source_sha256
    assert [f.old for f in built.inspection.functions] == ["f", "g"]


@pytest.mark.parametrize(
    ("functions", "says"),
    [
        ((F, G, Function(old="h")), "case.toml says it replaces h of vmlinux; it does not"),
        ((F,), "it replaces g of mod, which case.toml does not say"),
        ((Function(old="f"), G), "f: sympos is 1 in the module, 0 in case.toml"),
        ((F, Function(old="g", object="mod", new="x")), "is new_1_0 in the module, x in case.toml"),
    ],
)
def test_a_module_that_is_not_what_its_case_says(
    tmp_path: Path, functions: tuple[Function, ...], says: str
) -> None:
    case = prebuilt(tmp_path, *functions)
    with pytest.raises(InputError, match="c: module lph_made: ") as caught:
        build_module(case, case.modules[0], kernel(""))
    assert says in caught.value.message


def test_a_module_of_another_name_or_kind(tmp_path: Path) -> None:
    case = prebuilt(tmp_path, name="lph_other")
    with pytest.raises(InputError, match="calls itself 'lph_made'"):
        build_module(case, case.modules[0], kernel(""))
    case = prebuilt(tmp_path, replaces=True)
    with pytest.raises(InputError, match="its klp_patch does not"):
        build_module(case, case.modules[0], kernel(""))


@pytest.mark.parametrize(
    ("built", "says"),
    [
        (Built(objects=("mod", "vmlinux")), ""),
        (Built(objects=("vmlinux",)), "it patches mod, vmlinux, case.toml says vmlinux"),
        (Built(objects=("mod", "other", "vmlinux")), "case.toml says mod, other, vmlinux"),
        (Built(lacks=("h", "f?")), ""),
        (Built(lacks=("g",)), "it replaces g of mod, which built.lacks says it must not (g)"),
        (Built(lacks=("[a-f]*",)), "it replaces f of vmlinux"),
        (Built(imports=("klp_enable_*",)), ""),
        (Built(imports=("_printk",)), "it has no import _printk (built.imports)"),
        (Built(symbols=(".klp.sym.vmlinux.x,0",)), "it has no livepatch symbol .klp.sym.vmlinux"),
        (Built(relocations=(".klp.rela.*",)), "no section of livepatch relocations .klp.rela.*"),
    ],
)
def test_what_a_case_asserts_of_its_module(tmp_path: Path, built: Built, says: str) -> None:
    case = prebuilt(tmp_path, built=built)
    if not says:
        build_module(case, case.modules[0], kernel(""))
        return
    with pytest.raises(InputError, match="c: module lph_made: ") as caught:
        build_module(case, case.modules[0], kernel(""))
    assert says in caught.value.message


def test_livepatch_symbols_and_relocations_are_asserted_by_the_names_readelf_shows(
    tmp_path: Path,
) -> None:
    case = prebuilt(tmp_path)
    inspection = build_module(case, case.modules[0], kernel("")).inspection
    linked = msgspec.structs.replace(
        inspection.livepatch,
        klp_symbols=(KlpSymbol(object="ext4", name="x.isra.0", sympos=2),),
        klp_relocations=(KlpRelocations(object="ext4", section=".text.f", count=1),),
    )
    inspection = msgspec.structs.replace(inspection, livepatch=linked)
    asserted = msgspec.structs.replace(
        case.modules[0],
        built=Built(symbols=(".klp.sym.ext4.x.isra.0,2",), relocations=(".klp.rela.ext4..text.*",)),
    )
    hold_against_case(case, asserted, inspection)
    wrong = msgspec.structs.replace(asserted, built=Built(symbols=(".klp.sym.ext4.x.isra.0,0",)))
    with pytest.raises(InputError) as caught:
        hold_against_case(case, wrong, inspection)
    assert caught.value.hint == "it has .klp.sym.ext4.x.isra.0,2"


def test_only_what_can_do_without_may_be_allowed() -> None:
    with pytest.raises(InputError, match="'data-changed' cannot be allowed") as caught:
        build_diff("", kernel(""), name="lph_t", allow=frozenset({"layout", "data-changed"}))
    assert "init-code" in str(caught.value.hint)
