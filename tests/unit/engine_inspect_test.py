"""Every reason why a module could not load or patch is told before a boot."""

from __future__ import annotations

import lzma
import subprocess
from pathlib import Path

import msgspec
import pytest
from elf_support import Func, Obj, Shape, compile_source, module, source

from lpharness.base.errors import InputError
from lpharness.engine.inspect import Inspection, inspect
from lpharness.kernels.model import Kernel, KernelOrigin
from lpharness.kernels.symbols import SymbolTable, save_symbols

RELEASE = "6.1.0-made"
KALLSYMS = b"""\
ffffffff81000000 T _stext
ffffffff81000010 t unique_one
ffffffff81000020 t twice
ffffffff81000030 t __do_sys_pause
ffffffff81000030 T __ia32_sys_pause
ffffffff81000030 T __x64_sys_pause
ffffffff81000040 t twice
ffffffffc0000000 t twice\t[toy]
"""
TOY = """
__attribute__((noinline)) int traced(int x) { return x + 1; }
__attribute__((no_instrument_function, noinline)) int untraced(int x) { return x + 2; }
int use(int x) { return traced(x) + untraced(x); }
const char magic[] __attribute__((section(".modinfo"), used)) =
	"vermagic=6.1.0-made SMP mod_unload ";
"""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LPHARNESS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    """A kernel with one compressed module, one built-in, its exports and its symbols."""
    modules = tmp_path / "lib/modules" / RELEASE
    (modules / "kernel").mkdir(parents=True)
    toy = tmp_path / "toy.o"
    (tmp_path / "toy.c").write_text(TOY)
    subprocess.run(
        ["gcc", "-O1", "-pg", "-mfentry", "-mrecord-mcount", "-fno-pic", "-fno-pie",
         "-fcf-protection=none", "-c", str(tmp_path / "toy.c"), "-o", str(toy)],
        check=True,
    )  # fmt: skip
    (modules / "kernel/toy.ko.xz").write_bytes(lzma.compress(toy.read_bytes()))
    (modules / "modules.dep").write_text("kernel/toy.ko.xz:\n")
    (modules / "modules.builtin").write_text("kernel/drivers/built-in-one.ko\n")
    headers = tmp_path / "headers"
    headers.mkdir()
    (headers / "Module.symvers").write_text(
        "0x00000011\tklp_enable_patch\tvmlinux\tEXPORT_SYMBOL_GPL\t\n"
    )
    made = Kernel(
        release=RELEASE,
        flavour="",
        arch="amd64",
        image=tmp_path / "none",
        modules=modules,
        config={"CONFIG_LIVEPATCH": "y"},
        origin=KernelOrigin(spec="files:"),
        identity="made",
        headers=headers,
    )
    save_symbols(made, KALLSYMS)
    return made


def look(
    tmp_path: Path,
    kernel: Kernel,
    *objects: Obj,
    beside: dict[str, Path] | None = None,
    **shape: bool,
) -> Inspection:
    made = module(Shape(list(objects), **shape), tmp_path)  # type: ignore[arg-type]
    return inspect(made, kernel, beside=beside)


def test_a_module_that_fits(tmp_path: Path, kernel: Kernel) -> None:
    objects = Obj(None, [Func("unique_one"), Func("twice", 2)]), Obj("toy", [Func("traced")])
    read = look(tmp_path, kernel, *objects)
    assert (read.problems, read.warnings, read.unknown) == ((), (), ())
    assert [(f.exists, f.traceable, len(f.candidates)) for f in read.fits] == [
        (True, None, 1),
        (True, None, 2),
        (True, True, 1),
    ]
    assert [(f.module, f.object, f.old, f.new) for f in read.functions][2] == (
        "lph_made",
        "toy",
        "traced",
        "new_1_0",
    )


@pytest.mark.parametrize(
    ("patched", "says"),
    [
        (Obj(None, [Func("unique_on")]),
         "vmlinux:unique_on does not exist in 6.1.0-made; did you mean unique_one?"),
        (Obj(None, [Func("twice")]),
         "set old_sympos to one of: 1 at 0xffffffff81000020, 2 at 0xffffffff81000040"),
        (Obj(None, [Func("twice", 3)]), "vmlinux:twice,3: sympos is 3, but there are only 2"),
        (Obj("toy", [Func("trace")]), "did you mean traced?"),
        (Obj("toy", [Func("untraced")]), "toy:untraced cannot be traced by ftrace"),
        (Obj("absent", [Func("f")]), "6.1.0-made has no module absent"),
        (Obj("built_in_one", [Func("f")]), "object built_in_one is built into 6.1.0-made"),
    ],
)  # fmt: skip
def test_functions_that_cannot_be_patched(
    tmp_path: Path, kernel: Kernel, patched: Obj, says: str
) -> None:
    problems = look(tmp_path, kernel, patched).problems
    assert len(problems) == 1
    assert says in problems[0]


def test_a_module_beside_the_kernels_own_can_be_patched(tmp_path: Path, kernel: Kernel) -> None:
    beside = {"absent": tmp_path / "toy.o"}
    read = look(tmp_path, kernel, Obj("absent", [Func("traced")]), beside=beside)
    assert read.problems == ()
    assert read.fits[0].traceable
    (problem,) = look(tmp_path, kernel, Obj("absent", [Func("trace")]), beside=beside).problems
    assert "did you mean traced?" in problem


def test_an_alias_is_named_as_traces_show_it(tmp_path: Path, kernel: Kernel) -> None:
    read = look(tmp_path, kernel, Obj(None, [Func("__x64_sys_pause")]))
    assert read.problems == ()
    assert "show it as __do_sys_pause" in read.warnings[0]
    assert look(tmp_path, kernel, Obj(None, [Func("__do_sys_pause")])).warnings == ()


def test_without_symbols_it_says_what_it_would_take(tmp_path: Path, kernel: Kernel) -> None:
    stranger = msgspec.structs.replace(kernel, identity="other")
    read = look(tmp_path, stranger, Obj(None, [Func("anything")]))
    assert read.problems == ()
    assert "once a guest of it has been booted" in read.unknown[0]
    assert read.fits[0].exists is None


def test_a_guest_tells_what_can_be_traced(tmp_path: Path, kernel: Kernel) -> None:
    path = module(Shape([Obj(None, [Func("unique_one")]), Obj("toy", [Func("traced")])]), tmp_path)
    read = inspect(path, kernel, traceable={"unique_one", "traced [toy]"})
    assert [f.traceable for f in read.fits] == [True, True]
    read = inspect(path, kernel, traceable={"traced"})
    assert [f.traceable for f in read.fits] == [False, False]
    assert len(read.problems) == 2


FITS = Obj(None, [Func("unique_one")])


def test_another_release_is_refused_though_modversions_would_load_it(
    tmp_path: Path, kernel: Kernel
) -> None:
    other = msgspec.structs.replace(kernel, release="6.1.0-other")
    assert (
        "built for 6.1.0-made, the kernel is 6.1.0-other" in look(tmp_path, other, FITS).problems[0]
    )


def test_the_rest_of_vermagic_counts_too(tmp_path: Path, kernel: Kernel) -> None:
    text = source(Shape([FITS])).replace("SMP mod_unload", "SMP preempt mod_unload")
    problems = inspect(compile_source(text, tmp_path), kernel).problems
    assert "vermagic is '6.1.0-made SMP preempt mod_unload'" in problems[0]


def test_unmarked(tmp_path: Path, kernel: Kernel) -> None:
    assert "MODULE_INFO" in look(tmp_path, kernel, FITS, marked=False).problems[0]


def test_licence(tmp_path: Path, kernel: Kernel) -> None:
    text = source(Shape([FITS])).replace("license=GPL", "license=Proprietary")
    assert "'Proprietary'" in inspect(compile_source(text, tmp_path), kernel).problems[0]


def test_imports(tmp_path: Path, kernel: Kernel) -> None:
    text = source(Shape([FITS])) + "int hidden(void); int call(void) { return hidden(); }\n"
    path = compile_source(text, tmp_path)
    assert "needs hidden, which the kernel does not export" in inspect(path, kernel).problems[0]
    blind = msgspec.structs.replace(kernel, headers=None)
    read = inspect(path, blind)
    assert read.problems == ()
    assert "headers of 6.1.0-made" in read.unknown[0]
    assert inspect(path, blind, imports_known=True).unknown == ()


@pytest.mark.parametrize(
    ("crc", "says"), [(0x11, None), (0x12, "disagrees about the version"), (None, "carries no")]
)
def test_symbol_versions(tmp_path: Path, kernel: Kernel, crc: int | None, says: str | None) -> None:
    checking = msgspec.structs.replace(
        kernel, config={"CONFIG_LIVEPATCH": "y", "CONFIG_MODVERSIONS": "y"}
    )
    text = source(Shape([FITS]))
    if crc is not None:
        text += (
            "struct { ulong crc; char name[56]; } versions[] __attribute__((used, "
            f'section("__versions"))) = {{ {{ {crc}, "klp_enable_patch" }} }};\n'
        )
    problems = inspect(compile_source(text, tmp_path), checking).problems
    assert (says is None) == (problems == ())
    assert says is None or says in problems[0]


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({}, "without CONFIG_LIVEPATCH"),
        ({"CONFIG_LIVEPATCH": "y", "CONFIG_MODULE_SIG_FORCE": "y"}, "not signed"),
    ],
)
def test_kernels_that_would_refuse(
    tmp_path: Path, kernel: Kernel, config: dict[str, str], says: str
) -> None:
    refusing = msgspec.structs.replace(kernel, config=config)
    assert says in look(tmp_path, refusing, FITS).problems[0]


def test_a_signed_module_passes_where_signatures_are_enforced(
    tmp_path: Path, kernel: Kernel
) -> None:
    config = {"CONFIG_LIVEPATCH": "y", "CONFIG_MODULE_SIG_FORCE": "y"}
    path = module(Shape([FITS]), tmp_path)
    path.write_bytes(path.read_bytes() + b"\0" * 52 + b"~Module signature appended~\n")
    read = inspect(path, msgspec.structs.replace(kernel, config=config))
    assert read.livepatch.signed
    assert read.problems == ()


def test_a_function_patched_twice_is_odd(tmp_path: Path, kernel: Kernel) -> None:
    read = look(tmp_path, kernel, Obj(None, [Func("unique_one"), Func("unique_one")]))
    assert "replaced twice" in read.warnings[0]


def test_a_patch_put_together_at_run_time_cannot_be_told(tmp_path: Path, kernel: Kernel) -> None:
    text = source(Shape([FITS])).replace("&__this_module, objs", "0, 0")
    read = inspect(compile_source(text, tmp_path), kernel)
    assert (read.problems, read.fits) == ((), ())
    assert "what it patches" in read.unknown[0]


def test_without_a_kernel_only_the_module_is_judged(tmp_path: Path) -> None:
    read = inspect(module(Shape([FITS], marked=False), tmp_path))
    assert read.kernel == ""
    assert len(read.problems) == 1


def test_a_damaged_module_of_the_kernel_is_named(tmp_path: Path, kernel: Kernel) -> None:
    (kernel.modules / "kernel/toy.ko.xz").write_bytes(b"no xz at all")
    with pytest.raises(InputError, match=r"toy\.ko\.xz: cannot be decompressed"):
        look(tmp_path, kernel, Obj("toy", [Func("traced")]))


def test_symbols_name_an_address_as_traces_do() -> None:
    table = SymbolTable.parse(KALLSYMS)
    for symbol in table:
        nearest = table.nearest(symbol.address)
        assert nearest is not None
        assert table.first_name_at(symbol.address) == nearest[0].name
    assert table.first_name_at(0xFFFFFFFF81000011) is None
    assert table.functions_like("unique_ane") == ["unique_one"]
