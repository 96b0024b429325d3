"""Building kernels of our own, with a made-up source; make, apt, tar and dpkg are real."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from archive_support import Served, make_deb, needs_apt, redirect_apt, serve
from typer.testing import CliRunner

from lpharness.base.cache import Cache
from lpharness.base.errors import HostError, InputError
from lpharness.base.process import find_tool
from lpharness.base.progress import Step
from lpharness.cli.kernels import app
from lpharness.kernels import resolve, with_headers
from lpharness.kernels.built import KIND
from lpharness.kernels.toolchains import find_toolchain
from lpharness.sources import kernel_build, kernel_make
from lpharness.sources.kernel_build import build_kernel, mend
from lpharness.sources.kernel_make import require_build_tools
from lpharness.sources.prepare import prepare_tree

pytestmark = pytest.mark.skipif(
    not needs_apt or find_tool("depmod") is None or not shutil.which("gcc"),
    reason="needs apt, dpkg-deb, depmod and gcc",
)
# What make does in a kernel tree, as far as it can be seen from outside. `second` stops half way
# where the folder above has no `go`, as a compiler does that is interrupted.
MAKEFILE = r"""
release = 6.1.9$$(sed -n 's/CONFIG_LOCALVERSION="\(.*\)"/\1/p' .config)
allnoconfig:
	@cat $(KCONFIG_ALLCONFIG) > .config
	@echo CONFIG_CC_VERSION_TEXT='"$(shell $(CC) --version | head -1)"' >> .config
bzImage: first second
	@mkdir -p arch/x86/boot include/config
	@echo $(release) > include/config/kernel.release
	@cp image arch/x86/boot/bzImage
modules: ; @touch modules.order Module.symvers
first: ; @echo "  CC      first.o"; echo made >> first
second:
	@echo half > second; echo "  CC      second.o"
	@test -e ../../go || { mkfifo gate; cat gate; }
	@echo whole > second
"""


def image(release: str) -> bytes:
    """Return the header of a boot image, which is all that is read of one here."""
    head = bytearray(0x1000)
    head[0x202:0x206] = b"HdrS"
    head[0x20E:0x210] = (0x400 - 0x200).to_bytes(2, "little")
    head[0x400 : 0x400 + len(release) + 20] = release.encode() + b" (me@host) #1 SMP\0\0\0"
    return bytes(head)


def source_deb(folder: Path, version: str, makefile: str = MAKEFILE) -> None:
    files = {
        "Makefile": makefile.encode(),
        "Kconfig": b'source "arch/arm/crypto/Kconfig"\nsource "arch/$(SRCARCH)/Kconfig"\n',
        "image": image("6.1.9-small-" + find_toolchain("gcc").name),
        "kernel/sched/core.c": b'#include "sched.h"\n',
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:xz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"linux-source-6.1/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    make_deb(
        folder, "linux-source-6.1", version, arch="all",
        files={"usr/src/linux-source-6.1.tar.xz": packed.getvalue()},
    )  # fmt: skip


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    monkeypatch.setenv("LPHARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(kernel_build, "require_build_tools", lambda _: None)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/go").touch()
    return Cache()


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Cache) -> Iterator[Served]:
    with serve(tmp_path / "archive") as archive:
        redirect_apt(tmp_path, f"deb [trusted=yes] {archive.url} bookworm main\n", monkeypatch)
        source_deb(archive.pool, "6.1.9-1")
        archive.publish()
        yield archive


def build(source: str = "debian:6.1", **options: object) -> kernel_build.KernelBuild:
    return build_kernel(source, "small", toolchain="gcc", jobs=1, **options)  # type: ignore[arg-type]


def test_a_kernel_is_built_once_and_named(served: Served, cache: Cache) -> None:
    made = build()
    gcc = find_toolchain("gcc")
    assert made.built.spec == f"built:6.1-small-{gcc.name}"
    assert made.built.release == f"6.1.9-small-{gcc.name}"
    assert made.built.version == "6.1.9-1"
    assert made.built.compiler == gcc.version
    assert made.built.image_bytes == 0x1000
    assert not made.cached
    again = build("debian:6.1.9-1")
    assert (again.cached, again.tree, again.built) == (True, made.tree, made.built)
    kernel = with_headers(resolve("built:6.1-small-gcc"))
    assert (kernel.release, kernel.headers) == (made.built.release, made.tree)
    assert kernel.origin.spec == made.built.spec
    assert kernel.origin.version == "6.1.9-1"
    assert resolve(f"tree:{made.tree}").identity == kernel.identity
    assert not (made.tree / "lpharness-resumable").exists()


def test_the_source_it_was_built_from_stays_as_it_was(served: Served, cache: Cache) -> None:
    tree = build().tree
    (unpacked,) = cache.entries("sources")
    assert {path.name for path in unpacked.iterdir()} == {"Makefile", "Kconfig", "image", "kernel"}
    assert (tree / "arch/arm/crypto/Kconfig").read_text() == ""
    assert (tree / "kernel/sched/core.c").samefile(unpacked / "kernel/sched/core.c")


def test_it_is_a_tree_for_the_engine_that_does_not_change(served: Served) -> None:
    made = build()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lpharness.sources.prepare.image_symbols", lambda *_, **__: None)
        tree = prepare_tree(resolve("built:6.1-small-gcc"))
    assert (tree.own, tree.layers) == (False, (made.tree,))


def test_the_command_says_what_it_made(served: Served, cache: Cache) -> None:
    command = ["build", "--source", "debian:6.1", "--config", "small", "--toolchain", "gcc"]
    said = CliRunner().invoke(app, command).stdout
    made = build()
    assert said.startswith(f"{made.built.spec}: {made.built.release}, linux 6.1.9-1, image 0.0 MB")
    assert said.endswith(f"\ntree:{made.tree}\n")
    told = json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)
    assert (told["tree"], told["cached"]) == (str(made.tree), True)
    listed = json.loads(CliRunner().invoke(app, ["list", "--cached", "--json"]).stdout)
    assert [kernel["spec"] for kernel in listed] == [made.built.spec]


class Interrupts:
    """A progress that interrupts when it is told of an object."""

    def __init__(self, at: str) -> None:
        self._at = at

    @contextmanager
    def step(self, text: str, *, unit: str = "") -> Iterator[Step]:
        yield self

    def update(self, done: int, total: int | None = None) -> None: ...

    def note(self, text: str) -> None:
        if text.endswith(self._at):
            raise KeyboardInterrupt


def test_an_interrupted_build_goes_on_where_it_stopped(served: Served, cache: Cache) -> None:
    (cache.root / "go").unlink()
    with pytest.raises(KeyboardInterrupt):
        build(progress=Interrupts("second.o"))
    (work,) = cache.entries("builds")
    assert psutil.Process().children(recursive=True) == []
    assert not (work / "second").exists()  # half made: make took it away
    assert cache.entries(KIND) == []
    with pytest.raises(InputError, match=r"built:6\.1-small-gcc is not built"):
        resolve("built:6.1-small-gcc")
    (cache.root / "go").touch()
    tree = build().tree
    assert (tree / "first").read_text() == "made\n"  # once
    assert (tree / "second").read_text() == "whole\n"
    assert cache.entries("builds") == []


def test_a_killed_build_starts_anew(served: Served, cache: Cache) -> None:
    """Nobody could tell make to take away what was half made."""
    (cache.root / "go").unlink()
    with pytest.raises(KeyboardInterrupt):
        build(progress=Interrupts("second.o"))
    (work,) = cache.entries("builds")
    (work / "lpharness-resumable").unlink()
    (work / "second").write_text("half\n")
    (cache.root / "go").touch()
    assert (build().tree / "second").read_text() == "whole\n"


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (lambda text: text.replace("echo made", "echo 'x.c:3:1: error: no' >&2; exit 1; echo"),
         "the kernel does not build: x.c:3:1: error: no"),
        (lambda text: text.replace("echo made", "echo 'No space left on device'; exit 1; echo"),
         "no space left"),
    ],
)  # fmt: skip
def test_what_breaks_a_build_is_one_line(
    served: Served, broken: Callable[[str], str], says: str
) -> None:
    source_deb(served.pool, "6.1.9-2", broken(MAKEFILE))
    served.publish()
    with pytest.raises(HostError, match=says):
        build("debian:6.1.9-2")


def test_a_configuration_that_the_kernel_cannot_have(served: Served, cache: Cache) -> None:
    source_deb(served.pool, "6.1.9-2", MAKEFILE.replace("cat $(", "grep -v KASAN $("))
    served.publish()
    with pytest.raises(InputError, match=r"cannot have CONFIG_KASAN=y and 3 more \(configuration"):
        build_kernel("debian:6.1.9-2", "debug", toolchain="gcc")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--source", "debian:6.1", "--config", "smal"], "no configuration 'smal'"),
        (["--source", "debian:6.9", "--config", "small"], "the archive has no linux-source-6.9"),
        (["--source", "6.1", "--config", "small"], "not a source of a kernel: '6.1'"),
        (["--source", "debian:6.1.8-1", "--config", "small"], "has no linux-source-6.1 6.1.8-1"),
        (["--source", "debian:6.1", "--config", "small", "--toolchain", "tcc"], "no toolchain"),
        (["--source", "debian:6.1", "--config", "small", "--toolchain", "gcc-99"], "no gcc-99 on"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_unpacked(
    served: Served, cache: Cache, arguments: list[str], says: str
) -> None:
    result = CliRunner().invoke(app, ["build", *(arguments)])
    assert says in str(result.exception)
    assert cache.entries("sources") == []


def test_a_kernel_of_yesterdays_recipe_is_not_todays(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    build()
    monkeypatch.setattr("lpharness.kernels.built._RECIPE", 2)
    with pytest.raises(InputError, match="older recipe") as caught:
        resolve("built:6.1-small-gcc")
    assert caught.value.hint == (
        "lpharness kernels build --source debian:6.1 --config small --toolchain gcc"
    )


def test_missing_tools_are_named_with_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    gcc = find_toolchain("gcc")
    tools = {"make": "make", "lph-no-tool": "lph-tool"}
    monkeypatch.setattr(kernel_make, "_PACKAGES", tools)
    monkeypatch.setattr(kernel_make, "_HEADERS", {"stddef.h": "gcc", "lph-none.h": "lph-dev"})
    with pytest.raises(HostError, match=r"lph-no-tool, lph-none\.h not on this host") as caught:
        require_build_tools(gcc)
    assert caught.value.hint == "install it: apt install lph-dev lph-tool"


def test_a_recipes_diff_changes_the_tree_and_not_what_it_is_linked_to(tmp_path: Path) -> None:
    source, tree = tmp_path / "source", tmp_path / "tree"
    (source / "kernel").mkdir(parents=True)
    (tree / "kernel").mkdir(parents=True)
    (source / "kernel/a.c").write_text("one\ntwo\n")
    (tree / "kernel/a.c").hardlink_to(source / "kernel/a.c")
    diff = "Why it must be.\n\n--- kernel/a.c\n+++ kernel/a.c\n@@ -1,2 +1,3 @@\n one\n+more\n two\n"
    mend(tree, diff)
    assert (tree / "kernel/a.c").read_text() == "one\nmore\ntwo\n"
    assert (source / "kernel/a.c").read_text() == "one\ntwo\n"
    mend(tree, diff)  # a kernel that has it already
    assert (tree / "kernel/a.c").read_text() == "one\nmore\ntwo\n"
    with pytest.raises(InputError):
        mend(tree, diff.replace(" two", " three"))
