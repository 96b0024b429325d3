"""What a diff's author declares, and what the module is called and says: no kernel needed."""

from __future__ import annotations

import subprocess
from contextlib import nullcontext
from pathlib import Path

import msgspec
import pytest
from elf_support import Func, Obj, Shape, module

from lpharness.base.errors import BuildError, HostError
from lpharness.cli.build import _name
from lpharness.engine.emit.callbacks import declared_callbacks
from lpharness.engine.emit.model import PatchBuild, Redirect
from lpharness.engine.emit.module import _MODULE_NAME, _checked, require_name
from lpharness.engine.emit.readback import require_meant
from lpharness.engine.inspect import inspect

MACRO = """
struct klp_object;
#define LPH_CALLBACK(kind, function) \\
	static typeof(&(function)) lph_##kind##__LINE__ \\
	__attribute__((used, section(".lph.callbacks." #kind))) = (function)
#define SECOND static int (*second)(struct klp_object *) \\
	__attribute__((used, section(".lph.callbacks.pre_patch"))) = before;
extern int outside(struct klp_object *object);
static int before(struct klp_object *object) { return outside(object); }
static void after(struct klp_object *object) { outside(object); }
"""


def compiled(folder: Path, text: str, *flags: str) -> Path:
    (folder / "t.c").write_text(MACRO + text)
    out = folder / "t.o"
    subprocess.run(["gcc", "-O2", "-fno-pic", *flags, "-c", folder / "t.c", "-o", out], check=True)
    return out


@pytest.mark.parametrize("flags", [(), ("-ffunction-sections", "-fdata-sections")])
def test_callbacks_by_kind(tmp_path: Path, flags: tuple[str, ...]) -> None:
    text = "LPH_CALLBACK(pre_patch, before); LPH_CALLBACK(post_unpatch, after);"
    assert declared_callbacks(compiled(tmp_path, text, *flags)) == {
        "pre_patch": "before",
        "post_unpatch": "after",
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("LPH_CALLBACK(before_patch, before);", "no such callback"),
        ("LPH_CALLBACK(pre_patch, outside);", "the address of one function of the same file"),
        (
            "LPH_CALLBACK(pre_patch, before); SECOND",
            "the address of one function of the same file",
        ),
    ],
)
def test_callbacks_that_cannot_be(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(BuildError, match=says):
        declared_callbacks(compiled(tmp_path, text))


@pytest.mark.parametrize("name", ["", "1st", "a-b", "a.b", "x" * 56, "a b", "é", "a\n"])
def test_names_that_no_module_can_have(name: str) -> None:
    with pytest.raises(BuildError, match="cannot be a module's name"):
        require_name(name)


@pytest.mark.parametrize("name", ['a"b', "a\nb", "a,b", "", "1a", "a\\"])
def test_names_that_must_not_get_into_c(name: str) -> None:
    with pytest.raises(BuildError):
        _checked(name)
    assert _checked("foo.constprop.0") == "foo.constprop.0"


@pytest.mark.parametrize(("name", "fine"), [("8021q", True), ("nf_nat", True), ('8"', False)])
def test_a_modules_name_may_begin_with_a_digit(name: str, fine: bool) -> None:
    with nullcontext() if fine else pytest.raises(BuildError):
        assert _checked(name, _MODULE_NAME) == name


@pytest.mark.parametrize(
    ("file", "output", "name"),
    [
        ("fix.patch", None, "lph_fix"),
        ("0001-ext4-No-NULL.patch", None, "lph_0001_ext4_no_null"),
        ("fix.patch", Path("out/lph-mine.ko"), "lph_mine"),
        ("fix.patch", Path("folder"), "lph_fix"),
    ],
)
def test_a_diffs_module_is_named_after_it(file: str, output: Path | None, name: str) -> None:
    assert _name(file, output) == name


SHAPE = Shape([Obj(None, [Func("f"), Func("g", 2)]), Obj("ext4", [Func("h")], ["pre_patch"])])
MEANT = PatchBuild(
    name="lph_made", release="", diff_sha256="", compiler="", replace=False, forced=False,
    redirects=(
        Redirect(object="vmlinux", old="f", sympos=0, new="new_0_0", source="a.c"),
        Redirect(object="vmlinux", old="g", sympos=2, new="new_0_1", source="a.c"),
        Redirect(object="ext4", old="h", sympos=0, new="new_1_0", source="b.c"),
    ),
    callbacks={"ext4": {"pre_patch": "pre_patch_1"}},
    objects=(),
)  # fmt: skip
OTHER_POSITION = msgspec.structs.replace(MEANT.redirects[1], sympos=1)
VERMAGIC = "6.1.0-made SMP mod_unload"


def test_a_module_that_says_what_was_meant(tmp_path: Path) -> None:
    require_meant(inspect(module(SHAPE, tmp_path)), MEANT, VERMAGIC)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": "lph_other"}, "name: lph_made was read, lph_other was meant"),
        ({"redirects": MEANT.redirects[:2]}, "functions: "),
        ({"replace": True}, "replace: False was read, True was meant"),
        ({"callbacks": {}}, "callbacks: "),
        (
            {"redirects": (MEANT.redirects[0], OTHER_POSITION, MEANT.redirects[2])},
            "functions: ",
        ),
    ],
)  # fmt: skip
def test_a_module_that_says_something_else(
    tmp_path: Path, change: dict[str, object], says: str
) -> None:
    meant = msgspec.structs.replace(MEANT, **change)
    with pytest.raises(HostError, match="does not say what was put in") as caught:
        require_meant(inspect(module(SHAPE, tmp_path)), meant, VERMAGIC)
    assert says in caught.value.message


def test_a_module_of_another_release(tmp_path: Path) -> None:
    with pytest.raises(HostError, match=r"vermagic is '6\.1\.0-made SMP mod_unload'"):
        require_meant(inspect(module(SHAPE, tmp_path)), MEANT, "6.1.0-other SMP mod_unload")
