"""What differs between architectures, and what is refused where it is not there yet."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from lpharness.base.architecture import (
    ARCHITECTURES,
    architecture,
    of_config,
    of_elf,
    require_everything,
)
from lpharness.base.deadline import Deadline
from lpharness.base.errors import HostError, InputError
from lpharness.cases.model import Function
from lpharness.console.classifier import classify_text
from lpharness.engine.asserted import in_kernel
from lpharness.engine.build import module_of_diff
from lpharness.engine.compiler import find_compiler
from lpharness.engine.tracing import body_offset
from lpharness.guests import qemu_command
from lpharness.guests.accelerator import choose
from lpharness.guests.contract import GuestSpec
from lpharness.guests.qemu import QemuBackend
from lpharness.images import busybox
from lpharness.images.model import Image
from lpharness.images.programs import compile_program
from lpharness.images.tree import File, Symlink, Tree
from lpharness.kernels import toolchains
from lpharness.kernels.boot_image import read_boot_image
from lpharness.kernels.configurations import configuration, configuration_names
from lpharness.kernels.model import Kernel, KernelOrigin
from lpharness.kernels.spec import BuiltSpec, parse_spec
from lpharness.kernels.toolchains import Toolchain, find_toolchain
from lpharness.models import build_core
from lpharness.sources import kernel_make
from lpharness.sources.kernel_make import KernelMake, require_build_tools
from lpharness.sources.prepare import prepare_tree
from lpharness.workloads.syscalls import syscall_number

NOWHERE = Path("/nonexistent")
GCC = "powerpc64le-linux-gnu-gcc-12 (Debian 12.2.0-14) 12.2.0"
KERNEL = Kernel(
    release="6.1.9-small-ppc64el-gcc-12", flavour="", arch="ppc64el", image=NOWHERE,
    modules=NOWHERE, config={"CONFIG_CC_VERSION_TEXT": GCC},
    origin=KernelOrigin(spec="built:6.1-small-ppc64el-gcc-12"), identity="k",
)  # fmt: skip
IMAGE = Image(
    recipe="minimal", identity="i", initramfs=NOWHERE, memory_mb=128, provides=frozenset()
)


def elf(machine: int, text: bytes = b"") -> bytes:
    head = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + (2).to_bytes(2, "little")
    return (head + machine.to_bytes(2, "little")).ljust(256, b"\0") + text


def test_each_is_told_by_its_config_and_by_its_elf_machine() -> None:
    for one in ARCHITECTURES.values():
        assert of_config(dict.fromkeys(one.options, "y")) is one
        assert of_elf(one.elf) is one
    assert of_config({"CONFIG_PPC64": "y"}) is None  # big-endian
    assert of_config({}) is None
    assert of_elf("EM_S390") is None


def test_an_unknown_one_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="no guests of architecture mips") as caught:
        architecture("mips")
    assert caught.value.hint == "there are amd64, ppc64el"


def test_the_hosts_own_tools_have_no_prefix_and_kbuild_is_told_nothing() -> None:
    assert (architecture("amd64").cross, architecture("amd64").make) == ("", ())
    assert architecture("ppc64el").cross == "powerpc64le-linux-gnu-"
    assert architecture("ppc64el").make == (
        "ARCH=powerpc", "CROSS_COMPILE=powerpc64le-linux-gnu-",
    )  # fmt: skip


def test_what_is_not_there_yet_says_so_in_one_line() -> None:
    require_everything("amd64", "anything")
    with pytest.raises(InputError, match=r"^the model stop: not yet on ppc64el") as caught:
        require_everything("ppc64el", "the model stop")
    assert caught.value.kind == "architecture"
    assert "\n" not in str(caught.value)
    for act in (
        lambda: prepare_tree(KERNEL),
        lambda: build_core("stop", KERNEL),
        lambda: module_of_diff("", KERNEL, name="lph_x"),
    ):
        with pytest.raises(InputError, match="not yet on ppc64el"):
            act()


# --- kernels -------------------------------------------------------------------------------


def test_a_kernel_of_our_own_is_named_with_its_architecture() -> None:
    text = "built:6.1-small-ppc64el"
    assert parse_spec(text) == BuiltSpec(text, "6.1", "small", "gcc-12", "ppc64el")
    text = "built:6.1-small-ppc64el-gcc"
    assert parse_spec(text) == BuiltSpec(text, "6.1", "small", "gcc", "ppc64el")
    assert parse_spec("built:6.1-small") == BuiltSpec("built:6.1-small", "6.1", "small", "gcc-12")


def test_configurations_of_another_architecture_have_a_base_of_their_own() -> None:
    assert configuration_names("ppc64el") == ["small"]
    there = configuration("small", "6.1", "gcc", "ppc64el").text
    assert "CONFIG_PPC_PSERIES=y" in there
    assert "CONFIG_LIVEPATCH=y" in there
    assert "CONFIG_ACPI" not in there
    assert "CONFIG_PPC64" not in configuration("small", "6.1", "gcc").text
    with pytest.raises(InputError, match="no configuration 'debug' of a kernel of ppc64el"):
        configuration("debug", "6.1", "gcc", "ppc64el")


def test_a_boot_image_tells_its_release_and_architecture(tmp_path: Path) -> None:
    image = tmp_path / "vmlinux"
    image.write_bytes(elf(21, b"\0Linux version %s\0Linux version 6.1.9-small (me@host) #1\0"))
    release, target = read_boot_image(image)
    assert (release, target.name) == ("6.1.9-small", "ppc64el")
    image.write_bytes(elf(21))
    with pytest.raises(InputError, match="does not tell its release"):
        read_boot_image(image)
    image.write_bytes(elf(62, b"\0Linux version 6.1.9 (me@host) #1\0"))
    with pytest.raises(InputError, match="is not an x86 boot image"):
        read_boot_image(image)


def test_a_cross_compiler_is_asked_for_by_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchains, "first_line", lambda _: None)
    with pytest.raises(HostError, match="no gcc-12 for ppc64el on this host") as caught:
        find_toolchain("gcc-12", "ppc64el")
    assert caught.value.hint == "install it: apt install gcc-powerpc64le-linux-gnu"
    with pytest.raises(InputError, match="clang: not yet on ppc64el"):
        find_toolchain("clang", "ppc64el")


def test_kbuild_is_told_of_both_compilers(tmp_path: Path) -> None:
    cross = Toolchain(
        name="gcc-12", family="gcc", command="powerpc64le-linux-gnu-gcc-12", version=GCC,
        arch="ppc64el", host="gcc",
    )  # fmt: skip
    words = KernelMake(tmp_path, cross, log=tmp_path / "log")._variables()
    assert "ARCH=powerpc" in words
    assert "CC=powerpc64le-linux-gnu-gcc-12" in words
    assert "HOSTCC=gcc" in words
    own = msgspec.structs.replace(cross, command="gcc-12", arch="amd64", host="")
    words = KernelMake(tmp_path, own, log=tmp_path / "log")._variables()
    assert words[1:4] == ["ARCH=x86", "CC=gcc-12", "HOSTCC=gcc-12"]


def test_cross_binutils_are_asked_for_before_anything_is_built(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cross = Toolchain(
        name="gcc-12", family="gcc", command="no-such-gcc", version=GCC, arch="ppc64el", host="gcc"
    )
    which = lambda tool: None if tool.startswith("powerpc64le") else tool  # noqa: E731
    monkeypatch.setattr(kernel_make.shutil, "which", which)
    with pytest.raises(HostError, match="powerpc64le-linux-gnu-ld") as caught:
        require_build_tools(cross)
    assert caught.value.hint == "install it: apt install binutils-powerpc64le-linux-gnu"


# --- modules -------------------------------------------------------------------------------


def test_modules_are_built_by_the_kernels_own_cross_compiler(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = {"powerpc64le-linux-gnu-gcc-12": GCC}
    monkeypatch.setattr("lpharness.engine.compiler.first_line", found.get)
    compiler = find_compiler(KERNEL)
    assert compiler.command == "powerpc64le-linux-gnu-gcc-12"
    assert compiler.make == architecture("ppc64el").make
    found.clear()
    with pytest.raises(InputError) as caught:
        find_compiler(KERNEL)
    assert caught.value.hint == "install it: apt install gcc-12-powerpc64le-linux-gnu"


def test_where_a_ppc64el_functions_body_begins() -> None:
    toc = bytes.fromhex("1201 4c3c 4010 4238".replace(" ", ""))  # addis r2,r12; addi r2,r2
    absolute = bytes.fromhex("1201403c") + toc[4:]  # lis r2
    site = bytes.fromhex("a602087c 00000060".replace(" ", ""))  # mflr r0; nop
    assert body_offset(toc + site, "ppc64el") == 16
    assert body_offset(absolute + site, "ppc64el") == 16
    assert body_offset(site, "ppc64el") == 8


def test_system_calls_have_the_numbers_of_their_architecture() -> None:
    assert (syscall_number("umask"), syscall_number("umask", "ppc64el")) == (95, 60)
    with pytest.raises(InputError, match="ppc64el has no system call 'arch_prctl'"):
        syscall_number("arch_prctl", "ppc64el")


# --- guests --------------------------------------------------------------------------------


def test_a_guests_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qemu_command.shutil, "which", lambda name: f"/usr/bin/{name}")
    spec = GuestSpec(kernel=KERNEL, image=IMAGE)
    words = qemu_command.command(spec, "tcg", qemu_command.PASTED)
    assert words[0] == "/usr/bin/qemu-system-ppc64"
    assert words[words.index("-machine") + 1].startswith("pseries,")
    assert words[words.index("-append") + 1] == "console=hvc0 panic=-1"
    assert "i6300esb" not in words
    assert choose(spec, None).name == "tcg"  # type: ignore[arg-type]


def test_its_guests_are_booted_and_not_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen: `sleep 0.3` never came back in a guest that was restored."""
    booted = only_told(monkeypatch)
    spec = GuestSpec(kernel=KERNEL, image=IMAGE)
    guest = QemuBackend(None).start(spec, deadline=Deadline.never())
    assert guest == ("boot", architecture("ppc64el").no_snapshots)
    assert booted == [spec]


def only_told(monkeypatch: pytest.MonkeyPatch) -> list[GuestSpec]:
    """Have the backend tell how it would start a guest, and return which it boots."""
    booted: list[GuestSpec] = []
    monkeypatch.setattr("lpharness.guests.qemu.check_files", lambda _: None)
    monkeypatch.setattr(QemuBackend, "_booted", lambda _, spec, *__: booted.append(spec))
    monkeypatch.setattr(QemuBackend, "_guest", lambda *_, how, why: (how, why))
    return booted


def test_kvm_is_for_the_hosts_own_architecture() -> None:
    spec = GuestSpec(kernel=KERNEL, image=IMAGE, accelerator="kvm")
    with pytest.raises(InputError, match="KVM runs no ppc64el on this host"):
        choose(spec, None)  # type: ignore[arg-type]


def test_a_missing_qemu_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qemu_command.shutil, "which", lambda _: None)
    with pytest.raises(HostError, match="qemu-system-ppc64 is not installed") as caught:
        qemu_command.program("ppc64el")
    assert caught.value.hint == "apt install qemu-system-ppc"


def test_a_missing_cross_compiler_for_programs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from lpharness.images import programs

    monkeypatch.setattr(programs.shutil, "which", lambda _: None)
    programs._cross_compiler.cache_clear()
    with pytest.raises(HostError, match="no C compiler for ppc64el") as caught:
        compile_program("watch", arch="ppc64el")
    assert "libc6-dev-ppc64el-cross" in str(caught.value.hint)


def test_a_system_call_has_its_name_of_the_architecture() -> None:
    function = Function(old="{syscall}umask")
    for machine, name in (("EM_X86_64", "__x64_sys_umask"), ("EM_PPC64", "sys_umask")):
        assert in_kernel(function.old, machine) == name
    assert in_kernel("cmdline_proc_show", "EM_PPC64") == "cmdline_proc_show"


def test_the_modules_toc_is_made_by_the_kernels_loader() -> None:
    assert architecture("ppc64el").loader_symbols == (".TOC.",)
    assert architecture("amd64").loader_symbols == ()


def test_applets_are_asked_of_a_busybox_that_runs_here(tmp_path: Path) -> None:
    foreign, own = tmp_path / "foreign", tmp_path / "own"
    foreign.write_bytes(elf(21))
    own.write_text("#!/bin/sh\nprintf 'usr/bin/awk\\n'\n")
    own.chmod(0o755)
    tree = Tree()
    tree.add("usr/bin/busybox", File(foreign, 0o755))
    busybox.place(tree, applets=True, runs_here=own)
    assert tree.entries["usr/bin/awk"] == Symlink("/lph/busybox")
    assert tree.entries["lph/busybox"] == File(foreign, 0o755)


def test_a_ppc64el_kernels_trouble_is_told_by_its_name() -> None:
    text = (
        "[   28.272452] BUG: Kernel NULL pointer dereference on read at 0x00000000\n"
        "[   28.272983] Oops: Kernel access of bad area, sig: 11 [#1]\n"
    )
    found = [(finding.name, finding.severity) for finding in classify_text(text)]
    assert found[0] == ("page-fault", "fatal")
