"""Real livepatch modules, compiled by the host's gcc without any kernel's headers.

The structures are written out here with private tails of a chosen size, as different kernels and
configs have them, so that reading them can be tried on layouts that no stock kernel has.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from pathlib import Path

_TYPES = """
typedef unsigned long ulong;
struct module {{ char anything[896]; }};
struct klp_func {{ const char *old_name; void *new_func; ulong old_sympos;
	char rest[{func_rest}]; }};
struct klp_callbacks {{ void *pre_patch, *post_patch, *pre_unpatch, *post_unpatch; char enabled; }};
struct klp_object {{ const char *name; struct klp_func *funcs; struct klp_callbacks callbacks;
	char rest[{object_rest}]; }};
struct klp_state {{ ulong id; unsigned int version; void *data; }};
struct klp_patch {{ struct module *mod; struct klp_object *objs; struct klp_state *states;
	_Bool replace; char rest[168]; }};
struct module __this_module __attribute__((section(".gnu.linkonce.this_module"))) = {{ "x" }};
int klp_enable_patch(struct klp_patch *);
#define INFO(n, text) const char info_##n[] __attribute__((section(".modinfo"), used)) = text;
"""


@dataclass
class Func:
    old: str
    sympos: int = 0


@dataclass
class Obj:
    name: str | None
    funcs: list[Func]
    callbacks: list[str] = field(default_factory=list)


@dataclass
class Shape:
    """What a generated module is to contain."""

    objects: list[Obj]
    states: list[tuple[int, int]] = field(default_factory=list)
    replace: bool = False
    func_size: int = 152
    object_size: int = 168
    decoy: bool = False
    """Whether an unrelated table of names and functions stands behind each array."""
    marked: bool = True


def source(shape: Shape) -> str:
    """Return the module's C source."""
    lines = [_TYPES.format(func_rest=shape.func_size - 24, object_rest=shape.object_size - 56)]
    for i, obj in enumerate(shape.objects):
        for j, _ in enumerate(obj.funcs):
            lines.append(f"int new_{i}_{j}(int x) {{ return x + {i * 100 + j}; }}")
        lines += [f"void {kind}_{i}(void *o) {{ (void)o; }}" for kind in obj.callbacks]
        entries = "".join(
            f'{{ "{f.old}", new_{i}_{j}, {f.sympos} }}, ' for j, f in enumerate(obj.funcs)
        )
        lines.append(f"static struct klp_func funcs_{i}[] = {{ {entries}{{ 0 }} }};")
        if shape.decoy:
            lines.append(
                f"struct {{ const char *n; void *f; }} decoy_{i}[] = "
                f'{{ {{ "decoy{i}", new_{i}_0 }}, {{ 0 }} }};'
            )
    entries = ""
    for i, obj in enumerate(shape.objects):
        name = f'"{obj.name}"' if obj.name else "0"
        called = ", ".join(f".{kind} = {kind}_{i}" for kind in obj.callbacks)
        entries += f"{{ {name}, funcs_{i}, {{ {called or '0'} }} }}, "
    lines.append(f"static struct klp_object objs[] = {{ {entries}{{ 0 }} }};")
    states = "".join(f"{{ {number}, {version} }}, " for number, version in shape.states)
    lines.append(f"static struct klp_state states[] = {{ {states}{{ 0 }} }};")
    pointer = "states" if shape.states else "0"
    lines.append(
        f"static struct klp_patch patch = {{ &__this_module, objs, {pointer}, "
        f"{int(shape.replace)} }};"
    )
    lines.append("int init_module(void) { return klp_enable_patch(&patch); }")
    if shape.marked:
        lines.append('INFO(livepatch, "livepatch=Y")')
    lines.append(
        'INFO(name, "name=lph_made") INFO(license, "license=GPL") INFO(depends, "depends=")'
    )
    lines.append('INFO(vermagic, "vermagic=6.1.0-made SMP mod_unload ")')
    return "\n".join(lines) + "\n"


def compile_source(text: str, folder: Path, *, stripped: bool = False) -> Path:
    """Compile C text as a kernel module would be, and return the object file."""
    file, out = folder / "made.c", folder / "made.ko"
    file.write_text(text)
    flags = ["-O2", "-mcmodel=kernel", "-fno-pic", "-fno-pie", "-ffreestanding", "-fno-common"]
    quiet = ["-w", "-fno-asynchronous-unwind-tables", "-fcf-protection=none"]
    subprocess.run(["gcc", *flags, *quiet, "-c", str(file), "-o", str(out)], check=True)
    if stripped:
        subprocess.run(["strip", "--strip-unneeded", str(out)], check=True)
    return out


def module(shape: Shape, folder: Path, *, stripped: bool = False) -> Path:
    """Build a module of that shape."""
    return compile_source(source(shape), folder, stripped=stripped)
