"""The engine, prebuilt modules, kpatch-build and klp-build behind one contract.

The outside builders build whole kernels, so they are tried where a small tree for them is named:
``LPHARNESS_TEST_KPATCH_TREE`` (with debug information, without IBT) and
``LPHARNESS_TEST_KLP_TREE`` (6.19 or newer), each built in place, with its vmlinux.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from builder_contract import CMDLINE, NAME, BuilderContract, edited, source
from cli_support import KERNEL, complaint, lpharness

from lpharness.base.errors import HostError
from lpharness.engine.builders import Builder, Engine, KlpBuild, Kpatch, Order, Prebuilt
from lpharness.engine.compare import Code, compare
from lpharness.engine.module import Module
from lpharness.kernels import Kernel, resolve, with_headers
from lpharness.sources.unified import unified_diff


def stock() -> Kernel:
    return with_headers(resolve(KERNEL))


def tree(variable: str) -> Kernel:
    """Return the kernel of the tree that the environment names, or skip."""
    if variable not in os.environ:
        pytest.skip(f"{variable} names no kernel tree")
    return resolve(f"tree:{os.environ[variable]}")


class TestEngine(BuilderContract):
    @pytest.fixture
    def builder(self) -> Builder:
        return Engine()

    @pytest.fixture
    def kernel(self) -> Kernel:
        return stock()


class TestPrebuilt(BuilderContract):
    takes_diffs = False

    @pytest.fixture
    def kernel(self) -> Kernel:
        return stock()

    @pytest.fixture
    def builder(self, kernel: Kernel, diff: str, tmp_path: Path) -> Builder:
        made = Engine().build(Order(kernel=kernel, name=NAME, diff=diff))
        path = tmp_path / "from-elsewhere.ko"
        shutil.copy(made.path, path)
        return Prebuilt(path)


class Outside(BuilderContract):
    """What the engine and a builder that builds the whole kernel must agree on."""

    def test_it_takes_what_the_engine_takes(
        self, kernel: Kernel, diff: str, module: Module
    ) -> None:
        ours = Engine().build(Order(kernel=kernel, name=NAME, diff=diff))
        comparison = compare(ours.path, module.path)
        assert comparison.alike, comparison.differences
        assert [one.code for one in comparison.functions] == [Code.SAME]

    def test_the_users_tree_is_left_alone(self, kernel: Kernel, module: Module) -> None:
        root = Path(kernel.origin.spec.removeprefix("tree:"))
        image = root / "vmlinux"
        assert (root / CMDLINE).read_text() == source(kernel, CMDLINE)
        assert image.stat().st_mtime < module.path.stat().st_mtime
        assert not (root / "klp-tmp").exists()

    def test_a_diff_that_the_compiler_does_not_see(
        self, builder: Builder, kernel: Kernel, tmp_path: Path
    ) -> None:
        """Told only once the whole kernel was built twice."""
        diff = edited(kernel, CMDLINE, "\treturn 0;", "\treturn 1 - 1;")
        assert self.refused(builder, kernel, diff, tmp_path).kind == "no-code"


class TestKpatch(Outside):
    @pytest.fixture
    def builder(self) -> Builder:
        return Kpatch()

    @pytest.fixture
    def kernel(self) -> Kernel:
        return tree("LPHARNESS_TEST_KPATCH_TREE")


class TestKlpBuild(Outside):
    @pytest.fixture
    def builder(self) -> Builder:
        return KlpBuild()

    @pytest.fixture
    def kernel(self) -> Kernel:
        return tree("LPHARNESS_TEST_KLP_TREE")


# --- a stand-in for kpatch-build: what it is given ------------------------------------------

STAND_IN = """#!/bin/sh
# Says what it was given, and gives out a module that was made before.
[ "$1" = --version ] && { echo "Version : 0.0.1"; exit 0; }
set -e
while [ $# -gt 1 ]; do
  case $1 in
    --sourcedir) tree=$2; shift;;
    --vmlinux) test -f "$2"; shift;;
    --name) name=$2; shift;;
    --output) out=$2; shift;;
    --jobs) shift;;
    --non-replace) ;;
    *) echo "ERROR: what is $1?"; exit 1;;
  esac
  shift
done
patch -s -p1 -d "$tree" < "$1"
test "$tree" != "$OWN"
case $MAKEFLAGS in *KERNELRELEASE=*) ;; *) echo "ERROR: no release"; exit 1;; esac
"""


@pytest.fixture
def kernel() -> Kernel:
    return stock()


def small_tree(kernel: Kernel, folder: Path) -> Kernel:
    """Return the stock kernel, said to be that of a small tree that holds one source file."""
    import msgspec

    root = folder / "tree"
    (root / CMDLINE).parent.mkdir(parents=True)
    (root / CMDLINE).write_text(source(kernel, CMDLINE))
    (root / "vmlinux").touch()
    origin = msgspec.structs.replace(kernel.origin, spec=f"tree:{root}")
    return msgspec.structs.replace(kernel, origin=origin)


def test_an_outside_builder_works_in_a_copy(kernel: Kernel, tmp_path: Path) -> None:
    from lpharness.base.cache import Cache
    from lpharness.base.progress import SILENT
    from lpharness.engine.builders.outside import Tool, Workbench
    from lpharness.engine.compiler import find_compiler

    ours = small_tree(kernel, tmp_path)
    program = tmp_path / "kpatch-build"
    program.write_text(STAND_IN + 'echo made > "$out/$name.ko"\n')
    program.chmod(0o755)
    before = source(kernel, CMDLINE)
    with Workbench(find_compiler(kernel), tmp_path / "work", SILENT, Cache()) as bench:
        patch = bench.folder / "x.patch"
        patch.write_text(unified_diff(CMDLINE, before, before + "/* more */\n"))
        made = Kpatch(program).make(
            Order(kernel=ours, name="lph_x"), Tool(program=program, version=""), patch,
            bench.folder, bench,
        )  # fmt: skip
        assert made.read_text() == "made\n"
        assert (bench.folder / "tree" / CMDLINE).read_text() == before + "/* more */\n"
    assert (tmp_path / "tree" / CMDLINE).read_text() == before
    assert not bench.folder.exists()


@pytest.mark.parametrize(
    ("says", "comes_to", "kind"),
    [
        ("echo ERROR: no functional changes found. Check /x/build.log for more details.",
         "kpatch: no functional changes found", "no-code"),
        ("echo 'ERROR: cmdline.o: 1 unsupported change(s)'; echo 'ERROR: 1 error(s) encountered.'",
         "kpatch: cmdline.o: 1 unsupported change(s)", "outside-builder"),
        ("echo make: no luck", "kpatch: make: no luck", "outside-builder"),
    ],
)  # fmt: skip
def test_why_an_outside_builder_gave_up(
    says: str, comes_to: str, kind: str, tmp_path: Path
) -> None:
    from lpharness.engine.objects.process import run

    done = run(["sh", "-c", f"({says}) >&2; exit 1"], folder=tmp_path, environment={}, what="x")
    error = Kpatch().failure(done)
    assert error.message.splitlines()[0] == comes_to
    assert error.kind == kind


# --- refusals -------------------------------------------------------------------------------


@pytest.fixture
def patch_file(kernel: Kernel, tmp_path: Path) -> Path:
    path = tmp_path / "fix.patch"
    path.write_text(edited(kernel, CMDLINE, "\treturn 0;", "\treturn 1;"))
    return path


def without(tmp_path: Path, *programs: str) -> dict[str, str]:
    """Return an environment whose PATH leads to everything on this host but some programs."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for place in os.environ["PATH"].split(":"):
        for program in Path(place).iterdir() if Path(place).is_dir() else ():
            link = folder / program.name
            if program.name not in programs and not link.is_symlink():
                link.symlink_to(program)
    return {"PATH": str(folder)}


def test_a_builder_that_is_not_there(patch_file: Path, tmp_path: Path) -> None:
    words = ("build", patch_file, "-k", KERNEL, "--builder", "kpatch")
    done = lpharness(*words, cwd=tmp_path, env=without(tmp_path, "kpatch-build"))
    said = complaint(done, 3)
    assert "kpatch-build is not on this host" in said
    assert "--builder-path or LPHARNESS_KPATCH_BUILD" in said


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (("-k", KERNEL, "--builder", "klp-build"), 2, "it needs 6.19 or newer"),
        (("-k", "debian:6.12-cloud", "--builder", "kpatch"), 2, "CONFIG_X86_KERNEL_IBT"),
        (("-k", KERNEL, "--builder", "nosuch"), 2, "no builder 'nosuch'"),
        (("-k", KERNEL, "--builder", "kpatch", "--builder-path", "/nowhere"), 2,
         "/nowhere is no program"),
        (("-k", KERNEL, "--builder", "kpatch", "--builder-path", "/bin/true"), 2,
         "is not kpatch-build"),
        (("-k", KERNEL, "--builder-path", "/bin/true"), 2, "--builder-path is for"),
        (("-k", KERNEL, "--builder", "kpatch", "--force-base"), 2, "--force-base is for"),
    ],
)  # fmt: skip
def test_what_a_builder_cannot_do(
    words: tuple[str, ...], status: int, says: str, patch_file: Path, tmp_path: Path
) -> None:
    assert says in complaint(lpharness("build", patch_file, *words, cwd=tmp_path), status)


def test_a_tool_that_a_builder_needs(
    kernel: Kernel, patch_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "kpatch-build"
    program.write_text(STAND_IN)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", without(tmp_path, "gawk")["PATH"])
    with pytest.raises(HostError, match="kpatch-build needs gawk") as caught:
        Kpatch(program).find(kernel)
    assert caught.value.hint == "install it: apt install gawk"


def test_a_case_names_its_builder(kernel: Kernel, patch_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    shutil.copy(patch_file, folder / "fix.patch")
    (folder / "case.toml").write_text(
        'title = "t"\n[[module]]\nname = "lph_t"\npatch = "fix.patch"\nbuilder = "klp-build"\n'
        '[[probe]]\nname = "p"\nrun = "true"\n[probe.state.original]\n'
        "[probe.state.patched]\nexit = 1\n"
    )
    said = complaint(lpharness("build", "./mine", "-k", KERNEL, cwd=tmp_path), 2)
    assert "klp-build cannot do" in said
    said = complaint(lpharness("run", "./mine", "-k", KERNEL, cwd=tmp_path), 2)
    assert "klp-build cannot do" in said
