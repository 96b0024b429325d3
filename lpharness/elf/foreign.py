"""The tables from which other builders' modules put their ``klp_patch`` together as they load.

kpatch-build (``kmod/patch/kpatch-patch.h`` of its source), ``.kpatch.funcs`` and
``.kpatch.callbacks.KIND``:

    kpatch_patch_func { new_addr; new_size; old_addr; old_size; sympos; char *name, *objname; }
    kpatch_KIND_callback { callback; char *objname; }       an entry of zeros ends them

klp-build (the kernel's ``include/linux/livepatch_external.h``, since 6.19), ``.init.klp_objects``:

    klp_object_ext { char *name; klp_func_ext *funcs; klp_callbacks callbacks; unsigned nr_funcs; }
    klp_func_ext { char *old_name; void *new_func; unsigned long sympos; }

Whether such a patch replaces all earlier ones is a constant in the code that reads the tables.
"""

from __future__ import annotations

from collections.abc import Iterator

from lpharness.elf.reader import Elf, Place, Section, not_this
from lpharness.elf.structures import CALLBACKS, KlpFunction, KlpObject, KlpPatch, after

KPATCH, KLP_BUILD = ".kpatch.funcs", ".init.klp_objects"

_WORD = 8
_KPATCH_FUNCTION = 7 * _WORD
_KPATCH_CALLBACK = 2 * _WORD
_EXTERNAL_OBJECT = 8 * _WORD  # 4 callbacks, their flag and the count fill words 2 to 7
_EXTERNAL_FUNCTION = 3 * _WORD
_MOST = 20_000  # functions; far above any real patch


def read_table(elf: Elf) -> KlpPatch | None:
    """Return the patch that another builder's table describes; ``None`` if there is no table.

    Raises:
        InputError: the table contradicts itself.
    """
    if (section := elf.section(KPATCH)) is not None:
        functions = _kpatch_functions(elf, section)
        callbacks = _kpatch_callbacks(elf)
        names = dict.fromkeys([*(f.object for f in functions), *callbacks])
        objects = tuple(
            KlpObject(
                name=name,
                functions=tuple(f for f in functions if f.object == name),
                callbacks=callbacks.get(name, {}),
            )
            for name in names
        )
        return _patch(objects, KPATCH, _KPATCH_FUNCTION, 0)
    if (section := elf.section(KLP_BUILD)) is not None:
        objects = tuple(_external_objects(elf, section))
        return _patch(objects, KLP_BUILD, _EXTERNAL_FUNCTION, _EXTERNAL_OBJECT)
    return None


def _patch(
    objects: tuple[KlpObject, ...], table: str, func_stride: int, object_stride: int
) -> KlpPatch:
    return KlpPatch(
        symbol="", objects=objects, states=(), replace=None, func_stride=func_stride,
        object_stride=object_stride, table=table,
    )  # fmt: skip


def _entries(elf: Elf, section: Section, size: int) -> Iterator[Place]:
    """Yield where a table's whole entries begin."""
    count = section.size // size
    if section.size > len(elf.data) or count > _MOST:
        raise not_this(elf.path, f"{section.name} claims {count} entries: damaged")
    return (Place(section.number, size * index) for index in range(count))


def _kpatch_functions(elf: Elf, section: Section) -> list[KlpFunction]:
    return [
        KlpFunction(
            object=elf.text_behind(after(place, 6 * _WORD)) or "vmlinux",
            old=elf.text_behind(after(place, 5 * _WORD)) or "",
            sympos=elf.number_at(after(place, 4 * _WORD), _WORD),
            new=elf.code_behind(place) or "",
        )
        for place in _entries(elf, section, _KPATCH_FUNCTION)
    ]


def _kpatch_callbacks(elf: Elf) -> dict[str, dict[str, str]]:
    """Return object to kind to function called."""
    found: dict[str, dict[str, str]] = {}
    for kind in CALLBACKS:
        section = elf.section(f".kpatch.callbacks.{kind}")
        for place in _entries(elf, section, _KPATCH_CALLBACK) if section else ():
            if called := elf.code_behind(place):
                name = elf.text_behind(after(place, _WORD)) or "vmlinux"
                found.setdefault(name, {})[kind] = called
    return found


def _external_objects(elf: Elf, section: Section) -> Iterator[KlpObject]:
    left = _MOST
    for place in _entries(elf, section, _EXTERNAL_OBJECT):
        name = elf.text_behind(place) or "vmlinux"
        start = elf.follow(after(place, _WORD))
        count = elf.number_at(after(place, 7 * _WORD), 4)
        left -= count
        if left < 0 or (count and start is None):
            raise not_this(elf.path, f"{section.name} claims {count} functions: damaged")
        functions = (after(start, _EXTERNAL_FUNCTION * i) for i in range(count)) if start else ()
        yield KlpObject(
            name=name,
            functions=tuple(
                KlpFunction(
                    object=name,
                    old=elf.text_behind(function) or "",
                    sympos=elf.number_at(after(function, 2 * _WORD), _WORD),
                    new=elf.code_behind(after(function, _WORD)) or "",
                )
                for function in functions
            ),
            callbacks={
                kind: called
                for index, kind in enumerate(CALLBACKS)
                if (called := elf.code_behind(after(place, (2 + index) * _WORD)))
            },
        )
