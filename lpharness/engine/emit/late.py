"""What references to a module's own symbols must not be in, since they are filled in late.

Livepatch relocations against vmlinux are applied with all others when the patch module is loaded.
Those against a module are applied when that module is there, possibly much later: after the kernel
has read the patch module's special sections (``klp_apply_section_relocs()`` and its comment in
kernel/livepatch/core.c; ``load_module()`` in kernel/module/main.c). An entry there that needs one
is left out where the code is right without it, and else refused.
"""

from __future__ import annotations

from collections.abc import Collection

from lpharness.base.errors import BuildError
from lpharness.elf.object import Object, Relocation, Section
from lpharness.engine.differ.pieces import Entry
from lpharness.engine.differ.tables import Role, role_of
from lpharness.engine.differ.view import View

_SEALS = ".ibt_endbr_seal"
_INSTRUCTION_LENGTH_FROM_END = 2  # struct alt_instr: …, u8 instrlen, u8 replacementlen
_PARAVIRT_LENGTH = 9  # struct paravirt_patch_site: u8 *instr, u8 type, u8 len
_CALL_FIELD = 1  # a direct call is one opcode byte and the field


def settle_entries(obj: Object, late: Collection[int]) -> list[str]:
    """Leave out the entries that cannot work in a livepatch; say which.

    Args:
        obj: what was cut out of the patched object.
        late: the symbols (by ``id``) that are resolved only when the patched module is there.

    Raises:
        BuildError: the code would not be right without such an entry.
    """
    view = View(obj)
    notes: list[str] = []
    dropped: dict[int, set[int]] = {}
    sections = {id(entry.section): entry.section for entry in view.entries}
    fields = {id(section): _late_fields(obj, section, late) for section in obj.sections}
    for entry in view.entries:
        note = _judge(entry, fields)
        if note is not None:
            dropped.setdefault(id(entry.section), set()).add(entry.index)
            notes += [note] if note else []
    for chunk in obj.sections:
        if role_of(chunk) is Role.CHUNKS and fields[id(chunk)]:
            raise _refusal(chunk.name, fields[id(chunk)][0])
    for number, indices in dropped.items():
        _drop(obj, sections[number], indices, view)
    return list(dict.fromkeys(notes))


def _judge(entry: Entry, fields: dict[int, list[Relocation]]) -> str | None:
    """Return why an entry is left out (empty if there is nothing to say); ``None`` keeps it."""
    function = entry.owner.name if entry.owner else "?"
    if entry.table == _SEALS:
        # objtool saw one object and may have sealed what others take the address of. A missing
        # seal costs hardening; a wrong one kills the kernel.
        return ""
    start = entry.index * len(entry.data)
    own = [r for r in fields[id(entry.section)] if start <= r.offset < start + len(entry.data)]
    in_code = _covered(entry, fields)
    if entry.table == ".call_sites":
        return "" if in_code else None
    if not own and not in_code:
        return None
    first = (own or in_code)[0]
    name = first.symbol.name if first.symbol else "?"
    if entry.table == "__jump_table" and name.startswith("__tracepoint_"):
        return f"{function}: tracepoint {name.removeprefix('__tracepoint_')} never fires in it"
    if entry.table == ".static_call_sites":
        return f"{function}: {name} is called through its trampoline"
    raise _refusal(f"{function}: {entry.table}", first)


def _covered(entry: Entry, fields: dict[int, list[Relocation]]) -> list[Relocation]:
    """Return the late fields in the code that the kernel rewrites on behalf of an entry."""
    if entry.owner is None:
        return []
    lengths = {
        ".altinstructions": lambda: entry.data[-_INSTRUCTION_LENGTH_FROM_END],
        ".parainstructions": lambda: entry.data[_PARAVIRT_LENGTH],
        ".call_sites": lambda: _CALL_FIELD + 1,
    }
    if entry.table not in lengths:
        return []
    begin = entry.owner.start + entry.site
    end = begin + lengths[entry.table]()
    return [r for r in fields[id(entry.owner.section)] if begin <= r.offset < end]


def _late_fields(obj: Object, section: Section, late: Collection[int]) -> list[Relocation]:
    return [
        entry
        for table in obj.relocation_sections(section)
        for entry in table.entries
        if id(entry.symbol) in late
    ]


def _refusal(where: str, field: Relocation) -> BuildError:
    name = field.symbol.name if field.symbol else "?"
    return BuildError(
        f"{where} needs {name}, which is not there yet when the kernel reads it",
        hint="the symbol belongs to a module; static keys and alternatives of modules cannot be "
        "used in a livepatch: write the code without",
        kind="late-symbol",
    )


def _drop(obj: Object, section: Section, indices: set[int], view: View) -> None:
    """Take entries out of a special section, and their relocations."""
    size = next(len(entry.data) for entry in view.entries if entry.section is section)
    kept = [n for n in range(len(section.data) // size) if n not in indices]
    moved = {old: new for new, old in enumerate(kept)}
    section.data = b"".join(section.data[n * size : (n + 1) * size] for n in kept)
    for table in obj.relocation_sections(section):
        table.entries = [
            Relocation(
                offset=moved[entry.offset // size] * size + entry.offset % size,
                type=entry.type,
                symbol=entry.symbol,
                addend=entry.addend,
            )
            for entry in table.entries
            if entry.offset // size in moved
        ]
