"""What a livepatch cannot bring about: the reason, and what to do instead."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lpharness.elf.object import Section
from lpharness.engine.differ.meaning import Difference, shape
from lpharness.engine.differ.names import stable
from lpharness.engine.differ.pieces import Atom
from lpharness.engine.differ.report import Refusal
from lpharness.engine.differ.tables import Role, SectionRule, rule_for
from lpharness.engine.differ.view import View

_SHOWN = 4  # names that a refusal lists
_USE_SHADOW = (
    "leave the variable as it is; keep new state in a shadow variable (klp_shadow_alloc), "
    "or set the value from a pre-patch callback"
)


def changed_data(atom: Atom, other: Atom, difference: Difference) -> Refusal:
    """Refuse a writable variable whose size or first value changed."""
    if difference.kind == "size":
        kind = "data-resized"
        reason = f"a writable variable of {atom.size} bytes became one of {other.size}"
    elif difference.kind == "section":
        kind, reason = "data-moved", f"a writable variable {difference.text}"
    else:
        kind = "data-changed"
        reason = "the first value of a writable variable changed; the kernel's own is live"
        if difference.kind == "reference":
            reason += f" ({difference.text})"
    return _of(atom, kind, reason, _USE_SHADOW)


def ambiguous(atom: Atom) -> Refusal:
    """Refuse a static local that may be more than one of the patched object's."""
    return _of(
        atom,
        "ambiguous-data",
        "cannot tell which variable of the patched object it is; the compiler numbers such names",
        "give the static variables of that name different names in the patch's base, or do without",
    )


CAN_BE_LEFT_OUT = (
    "init-code", "init-data", "exit-code", "exit-data", "initcalls", "module-info",
    "module-parameters",
)  # fmt: skip
"""Refusals of what a running kernel never looks at again: the rest of the change is whole."""
CAN_BE_RISKED = ("thread-function", "function-table")
"""Refusals of what may go well if the user knows more than the objects tell."""


def early_data(atom: Atom) -> Refusal:
    """Refuse a change to data that only start-up or unloading uses."""
    return _of(
        atom,
        "init-data" if atom.role is Role.INIT else "exit-data",
        "data that is used when the kernel starts or a module is loaded or unloaded only",
        "leave it out of the livepatch, or do its work in a callback",
    )


def early_code(atom: Atom, callers: Sequence[Atom], *, new: bool = False) -> Refusal:
    """Refuse code that ran already, is never hooked, or runs where a module's code must not."""
    word = "new" if new else "changed"
    if atom.role is Role.INIT:
        return _of(
            atom,
            "init-code",
            f"{word} code that ran at boot or when the module was loaded, and will not run again",
            "leave it out of the livepatch, or do its work in a pre-patch callback",
        )
    if atom.role is Role.EXIT:
        return _of(
            atom,
            "exit-code",
            f"{word} code for unloading, which is notrace and so cannot be redirected",
            "leave it out of the livepatch, or do its work in a post-unpatch callback",
        )
    return _of(
        atom,
        "restricted-code",
        f"{word} code in {atom.section.name}, which runs where tracing and a module's code may not",
        _patch_callers(callers),
        callers,
    )


def assembly(atom: Atom, callers: Sequence[Atom]) -> Refusal:
    """Refuse hand-written code."""
    return _of(
        atom,
        "assembly",
        "hand-written assembly: it has no call to __fentry__ that could be redirected",
        "patch the C functions that call it",
        callers,
    )


def untraceable(atom: Atom, callers: Sequence[Atom], *, whole_file: bool) -> Refusal:
    """Refuse a function without a call to ``__fentry__`` that its callers cannot stand in for.

    Args:
        atom: the function.
        callers: those of its callers that can be redirected.
        whole_file: whether nothing in its file can.
    """
    if whole_file:
        return _of(
            atom,
            "not-traceable",
            "its whole file is compiled without ftrace, so nothing in it can be redirected",
            "patch the functions of other files that call it",
        )
    return _of(
        atom,
        "not-traceable",
        "it does not begin with a call to __fentry__ (notrace), so it cannot be redirected"
        + (", and other files may call it" if atom.is_global else ""),
        _patch_callers(callers),
        callers,
    )


def shared_constant(atom: Atom) -> Refusal:
    """Refuse read-only data that other objects refer to."""
    return _of(
        atom,
        "shared-constant",
        "read-only data that is visible to other files: they go on using the original",
        "change the functions that use it instead",
    )


def live_pointer(constant: Atom, holder: Atom) -> Refusal:
    """Refuse read-only data that a writable variable points to."""
    return _of(
        constant,
        "live-pointer",
        f"read-only data that changed, but {holder.name} in memory still points to the original",
        f"change the functions it leads to instead, or set {holder.name} from a callback",
    )


def handed_over(constant: Atom, user: Atom) -> Refusal:
    """Refuse read-only data that start-up code has handed to the kernel."""
    return _of(
        constant,
        "handed-over",
        f"read-only data that changed, but {user.name} has handed the original to the kernel",
        "change the functions it leads to instead",
    )


def function_table(atom: Atom) -> Refusal:
    """Refuse a table of functions that changed, of which the patch would bring a copy."""
    return _of(
        atom,
        "function-table",
        "a table of functions that changed: what was made before goes on with the kernel's own, "
        "and what is given the patch's copy calls through it after the patch is unloaded",
        "change the functions it leads to instead; allow it (--allow function-table) if it is only "
        "read, or if all that is given it is gone before the patch",
    )


def thread_function(atom: Atom) -> Refusal:
    """Refuse the main function of a kernel thread, which that never leaves."""
    return _of(
        atom,
        "thread-function",
        "the main function of a kernel thread, which is always on that thread's stack: the "
        "transition would never end",
        "patch what it calls instead; allow it (--allow thread-function) if the thread ends by "
        "itself or is stopped meanwhile",
    )


def type_layout(name: str, change: str) -> Refusal:
    """Refuse code that expects a structure to lie in memory otherwise than it does."""
    return Refusal(
        kind="layout",
        subject=name,
        reason=f"{change}; what the running kernel has made lies in memory as before",
        hint="keep new members in a shadow variable (klp_shadow_alloc); "
        "allow it (--allow layout) if no such object can outlive a call",
    )


def collected(atom: Atom) -> Refusal:
    """Refuse new data in a section that the kernel's linker script collects into a table."""
    return _of(
        atom,
        "collected-section",
        f"new data in {atom.section.name}, which the kernel collects into a table at link time",
        "register it at run time, from a callback",
    )


def not_understood(which: str, trouble: str) -> Refusal:
    """Refuse to answer where the object was not fully understood."""
    return Refusal(
        kind="not-understood",
        subject=f"the {which} object",
        reason=trouble,
        hint="compile with -ffunction-sections -fdata-sections; if it persists, report it",
    )


@dataclass(frozen=True, slots=True)
class ChangedTable:
    """A table that the kernel has read already, and that differs."""

    rule: SectionRule
    section: str
    names: tuple[str, ...]
    """Of the entries that went or came."""

    @property
    def subject(self) -> str:
        """The first few names, and how many more there are."""
        more = len(self.names) - _SHOWN
        return ", ".join(self.names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def fixed_table(table: ChangedTable) -> Refusal:
    """Refuse a change of a table that the kernel has read already."""
    return Refusal(
        kind=table.rule.refusal,
        subject=table.subject,
        section=table.section,
        reason=table.rule.why,
        hint=table.rule.hint,
    )


def changed_tables(original: View, patched: View) -> Iterator[ChangedTable]:
    """Yield the tables that the kernel has read already, where they differ."""
    left, right = _fixed(original), _fixed(patched)
    for kind in dict.fromkeys([*left, *right]):
        before, after = left.get(kind, Counter()), right.get(kind, Counter())
        differing = (before - after) + (after - before)
        if not differing:
            continue
        section = min(section for _, section, _ in differing)
        rule = rule_for(section)
        assert rule is not None
        names = {re.sub(f"^{rule.prefix}", "", name) for name, _, _ in differing}
        yield ChangedTable(rule, section, tuple(sorted(names)))


def _fixed(view: View) -> dict[str, Counter[tuple[str, str, bytes]]]:
    """Return the entries of each kind of fixed table, as name, section and content."""
    found: dict[str, Counter[tuple[str, str, bytes]]] = {}
    for section in view.object.sections:
        rule = rule_for(section.name)
        if rule and rule.role is Role.FIXED and section.size:
            for atom in view.atoms_of(section):
                name = stable(atom.name) if atom.symbols else _content_name(section)
                entry = (name, section.name, shape(view, atom))
                found.setdefault(rule.refusal, Counter())[entry] += 1
    return found


def _content_name(section: Section) -> str:
    return f"an entry of {section.name}"


def _patch_callers(callers: Sequence[Atom]) -> str:
    if not callers:
        return "change its callers so that they do without it"
    return "patch its callers instead: " + ", ".join(caller.name for caller in callers[:8])


def _of(atom: Atom, kind: str, reason: str, hint: str, callers: Sequence[Atom] = ()) -> Refusal:
    return Refusal(
        kind=kind,
        subject=atom.name,
        section=atom.section.name,
        reason=reason,
        hint=hint,
        callers=tuple(caller.name for caller in callers),
    )
