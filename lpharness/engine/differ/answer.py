"""Writes a `Judgement` down as a `DiffReport`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from lpharness.base.hashing import sha256_file
from lpharness.elf.object import Object
from lpharness.elf.object_reader import read_object
from lpharness.engine.differ.judge import Judgement, compiler_of
from lpharness.engine.differ.meaning import Difference, has_identity
from lpharness.engine.differ.names import parent_name, source_name
from lpharness.engine.differ.pieces import Atom
from lpharness.engine.differ.report import (
    Answer,
    Data,
    DataState,
    DiffReport,
    Function,
    FunctionState,
    ObjectFile,
    Special,
    Why,
)
from lpharness.engine.differ.tables import Role, rule_for
from lpharness.engine.differ.types import Suspected
from lpharness.engine.differ.view import View


def diff_files(original: Path, patched: Path) -> DiffReport:
    """Compare two relocatable objects.

    Raises:
        InputError: a file is no relocatable object, or the two are of different kinds.
        CannotJudge: the differ does not know the architecture's code.
    """
    judgement = judge_files(original, patched)
    return report(judgement, original, patched)


def judge_files(original: Path, patched: Path, *, suspects: Sequence[Suspected] = ()) -> Judgement:
    """Compare two relocatable objects, and keep the pieces at hand for the extraction.

    Args:
        original: the one.
        patched: the other.
        suspects: structures whose definitions differ in the source; one whose layout the objects
            do not tell is refused.
    """
    from lpharness.base.errors import InputError

    left, right = read_object(original), read_object(patched)
    if (left.machine, left.bits, left.little_endian) != (
        right.machine,
        right.bits,
        right.little_endian,
    ):
        raise InputError(
            f"{original} is for {left.machine_name}, {patched} for {right.machine_name}"
        )
    return Judgement(left, right, suspects=suspects)


def report(judgement: Judgement, original: Path, patched: Path) -> DiffReport:
    """Return the document for a judgement on two files."""
    functions = _functions(judgement)
    listed = {function.name for function in functions}
    answer = DiffReport(
        machine=judgement.original.machine.name,
        original=_file(original, judgement.original.object),
        patched=_file(patched, judgement.patched.object),
        answer=_answer(judgement, functions),
        functions=tuple(functions),
        unchanged=tuple(
            atom.name
            for atom, _ in judgement.paired()
            if atom.is_function and atom.role is not Role.FIXED and atom.name not in listed
        ),
        data=tuple(_data(judgement)),
        special=tuple(_special(judgement)),
        refusals=tuple(dict.fromkeys(judgement.refusals)),
        warnings=tuple(_warnings(judgement)),
        types_compared=judgement.types_compared,
        left_out=_left_out(judgement.patched),
    )
    return msgspec.convert(_printable(msgspec.to_builtins(answer)), DiffReport)


def _printable(value: Any) -> Any:
    """Return the document with every name fit to print: names in objects are any bytes."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    if isinstance(value, dict):
        return {_printable(key): _printable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_printable(inner) for inner in value]
    return value


def _file(path: Path, obj: Object) -> ObjectFile:
    return ObjectFile(path=str(path), sha256=sha256_file(path), compiler=compiler_of(obj))


def _answer(judgement: Judgement, functions: list[Function]) -> Answer:
    if judgement.refusals:
        return Answer.REFUSED
    return Answer.PATCHABLE if any(one.taken for one in functions) else Answer.UNCHANGED


# -- functions


def _functions(judgement: Judgement) -> list[Function]:
    found = [
        function
        for atom in judgement.original.atoms
        if atom.is_function and atom.role is not Role.FIXED
        for function in [_original_function(judgement, atom)]
        if function is not None
    ]
    found += [
        _function(judgement, atom, atom, FunctionState.NEW)
        for atom in judgement.patched.atoms
        if judgement.is_new_function(atom)
    ]
    return found


def _original_function(judgement: Judgement, atom: Atom) -> Function | None:
    partner = judgement.pairs.patched_of.get(id(atom))
    if partner is None:
        return _function(judgement, atom, None, FunctionState.GONE)
    if id(atom) in judgement.changed:
        return _function(judgement, atom, partner, FunctionState.CHANGED)
    if id(partner) in judgement.taken:  # the cold part of a function that changed
        return _function(judgement, atom, partner, FunctionState.UNCHANGED)
    if id(atom) in judgement.meaning.line_changes:
        return _function(judgement, atom, partner, FunctionState.UNCHANGED)
    return None


def _function(
    judgement: Judgement, atom: Atom, patched: Atom | None, state: FunctionState
) -> Function:
    new = state is FunctionState.NEW
    difference = judgement.changed.get(id(atom))
    return Function(
        name=atom.name,
        state=state,
        source=source_name(atom.name),
        patched_name=patched.name if patched and patched.name != atom.name else "",
        aliases=tuple(symbol.name for symbol in atom.symbols[1:]),
        section=atom.section.name,
        exported=atom.is_global,
        size=0 if new else atom.size,
        patched_size=patched.size if patched else 0,
        taken=patched is not None and id(patched) in judgement.taken,
        replaces=id(atom) in judgement.replaced,
        parent=parent_name(atom.name) or "",
        why=_why(judgement, atom, patched, difference) if difference else None,
        line_numbers=id(atom) in judgement.meaning.line_changes and not difference,
    )


def _why(judgement: Judgement, atom: Atom, patched: Atom | None, difference: Difference) -> Why:
    at = difference.offset
    if at is None or not atom.section.executable or patched is None:
        return Why(kind=difference.kind, text=difference.text)
    return Why(
        kind=difference.kind,
        text=difference.text,
        offset=at,
        original=_instruction(judgement.original, atom, at),
        patched=_instruction(judgement.patched, patched, at),
    )


def _instruction(view: View, atom: Atom, offset: int) -> str:
    found = view.decoded(atom).at(atom.start + offset)
    if found is None:
        return ""
    names = [
        reference.target.name
        for reference in view.references(atom)
        if found.offset <= reference.offset + atom.start < found.end
    ]
    return found.text + (f"  <{', '.join(names)}>" if names else "")


# -- data


def _data(judgement: Judgement) -> list[Data]:
    found = []
    for needed in judgement.needed.values():
        original = judgement.pairs.original_of.get(id(needed.atom))
        found.append(
            Data(
                name=needed.atom.name,
                state=needed.state,
                section=needed.atom.section.name,
                size=original.size if original else 0,
                patched_size=needed.atom.size,
                why=needed.why,
                needed_by=tuple(
                    user.name for user in judgement.patched.referrers.get(id(needed.atom), ())
                ),
            )
        )
    for atom, other in judgement.paired():
        refused = any(one.subject == atom.name for one in judgement.refusals)
        if atom.role is Role.DATA and refused:
            found.append(_other(atom, other, DataState.CHANGED))
    for atom in judgement.original.atoms:
        lost = atom.role in (Role.DATA, Role.RODATA) and has_identity(atom)
        if lost and id(atom) not in judgement.pairs.patched_of and not atom.section.executable:
            found.append(_other(atom, None, DataState.GONE))
    return found


def _other(atom: Atom, patched: Atom | None, state: DataState) -> Data:
    return Data(
        name=atom.name,
        state=state,
        section=atom.section.name,
        size=atom.size,
        patched_size=patched.size if patched else 0,
    )


# -- sections


def _special(judgement: Judgement) -> list[Special]:
    total: Counter[str] = Counter()
    kept: Counter[str] = Counter()
    layouts = {}
    for entry in judgement.patched.entries:
        total[entry.table] += 1
        layouts[entry.table] = entry
        owner = entry.owner
        if owner and (id(owner) in judgement.taken or id(owner) in judgement.needed):
            kept[entry.table] += 1
    return [
        Special(
            section=name,
            entry=layouts[name].layout.struct,
            entry_size=len(layouts[name].data),
            entries=count,
            kept=kept[name],
        )
        for name, count in total.items()
    ]


def _left_out(view: View) -> dict[str, str]:
    found = {}
    for section in view.object.sections:
        rule = rule_for(section.name)
        left = rule is not None and rule.role in (Role.REGENERATED, Role.IGNORED)
        if rule and left and section.size and not section.name.startswith(".rela"):
            found[section.name] = rule.why
    return found


def _warnings(judgement: Judgement) -> list[str]:
    found = list(judgement.warnings)
    before, after = (compiler_of(view.object) for view in (judgement.original, judgement.patched))
    if before != after:
        found.append(f"the objects come from different compilers: {before!r}, {after!r}")
    if _split(judgement.original) != _split(judgement.patched):
        found.append(
            "only one of the objects is compiled with -ffunction-sections: code may differ for "
            "that alone"
        )
    for needed in judgement.needed.values():
        original = judgement.pairs.original_of.get(id(needed.atom))
        if original is not None:
            found.append(
                f"{needed.atom.name}: what was made before the patch goes on using the original "
                "read-only data"
            )
        if original is None and judgement.is_table_of_functions(needed.atom):
            found.append(
                f"{needed.atom.name} is the patch's own table of functions: whatever is given its "
                "address must be gone before the patch is, or calls through it after the patch is "
                "unloaded"
            )
    return found


def _split(view: View) -> bool:
    """Say whether each function has a section of its own."""
    homes = Counter(
        id(atom.section) for atom in view.atoms if atom.is_function and atom.role is Role.CODE
    )
    return all(count == 1 for count in homes.values())
