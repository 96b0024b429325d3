"""Decides what a livepatch takes from the patched object, and what it cannot bring about.

The order is the order of reasons: what differs by itself, then what has to come along because of
it, then what cannot be patched where it lies and has to be reached through its callers.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from lpharness.elf import constants as c
from lpharness.elf.object import Object
from lpharness.engine.differ import refusals
from lpharness.engine.differ.correlate import Correlation
from lpharness.engine.differ.meaning import Difference, Meaning, has_identity
from lpharness.engine.differ.names import parent_name, stable
from lpharness.engine.differ.pieces import Atom, Target
from lpharness.engine.differ.report import DataState, Refusal
from lpharness.engine.differ.tables import Role, is_plain_data
from lpharness.engine.differ.threads import endless_thread_functions
from lpharness.engine.differ.types import Suspected, layout_changes, unknown_layouts
from lpharness.engine.differ.view import View


@dataclass(frozen=True, slots=True)
class Needed:
    """A piece of data that goes into the patch."""

    atom: Atom
    state: DataState
    why: str


class Judgement:
    """What differs between two objects, and what follows from it.

    Attributes:
        changed: why each original function is taken, by ``id``.
        replaced: the original functions that the livepatch redirects, by ``id``.
        taken: the patched functions whose code goes into the livepatch, by ``id``.
        needed: the patched data that goes into it, by ``id``.
        refusals: what a livepatch cannot bring about.
        warnings: what its user should know.
        types_compared: whether both objects carry types (BTF), so that layouts were compared.
    """

    def __init__(
        self, original: Object, patched: Object, *, suspects: Sequence[Suspected] = ()
    ) -> None:
        self._suspects = suspects
        self.original = View(original)
        self.patched = View(patched)
        self.correlation = Correlation(self.original, self.patched)
        self.pairs = self.correlation.pairs
        self.meaning = Meaning(self.original, self.patched, self.pairs)
        self.changed: dict[int, Difference] = {}
        self.replaced: dict[int, Atom] = {}
        self.taken: dict[int, Atom] = {}
        self.needed: dict[int, Needed] = {}
        self.changed_constants: dict[int, Atom] = {}
        self.refusals: list[Refusal] = []
        self.warnings: list[str] = []
        self.types_compared = False
        self._cold: set[int] = set()
        self._compare_functions()
        self._compare_data()
        self._spread_constants()
        self._join_cold_parts()
        self._reach_untraceable()
        self._take()
        self._check_fresh_state()
        self._check_tables()
        self._check_threads()
        self._check_handed_out()
        self._compare_types()
        self._check_understood()

    def allow(self, kinds: Collection[str]) -> None:
        """Go on in spite of what is refused for some reasons, and say so.

        Args:
            kinds: those of `refusals.CAN_BE_LEFT_OUT` and `refusals.CAN_BE_RISKED` that the user
                allows; others change nothing.
        """
        words = dict.fromkeys(refusals.CAN_BE_LEFT_OUT, "is left out")
        words |= dict.fromkeys(refusals.CAN_BE_RISKED, "is allowed")
        for refusal in [one for one in self.refusals if one.kind in words.keys() & set(kinds)]:
            self.refusals.remove(refusal)
            self.warnings.append(f"{refusal.subject} {words[refusal.kind]}: {refusal.reason}")

    # -- what differs by itself

    def paired(self) -> list[tuple[Atom, Atom]]:
        """Return the corresponding pieces, in the original's order."""
        partner = self.pairs.patched_of
        return [(atom, partner[id(atom)]) for atom in self.original.atoms if id(atom) in partner]

    def _compare_functions(self) -> None:
        for atom, other in self.paired():
            if atom.is_function and atom.role is not Role.FIXED:
                difference = self.meaning.difference(atom, other)
                if difference:
                    self.changed[id(atom)] = difference

    def _compare_data(self) -> None:
        for atom, other in self.paired():
            if atom.section.executable or atom.role is Role.FIXED:
                continue
            difference = self.meaning.difference(atom, other)
            if difference is None:
                continue
            if atom.role is Role.RODATA:
                self.changed_constants[id(atom)] = atom
            elif atom.role is Role.DATA:
                self.refusals.append(refusals.changed_data(atom, other, difference))
            else:
                self.refusals.append(refusals.early_data(atom))
        for atom in self.correlation.ambiguous:
            self.refusals.append(refusals.ambiguous(atom))
        for table in refusals.changed_tables(self.original, self.patched):
            if table.rule.left_out:
                self.warnings.append(f"{table.subject}: {table.rule.left_out}")
            else:
                self.refusals.append(refusals.fixed_table(table))

    # -- what comes along

    def _spread_constants(self) -> None:
        """Take every function that refers to read-only data that changed, however indirectly."""
        waiting = list(self.changed_constants.values())
        while waiting:
            constant = waiting.pop()
            if constant.is_global:
                self.refusals.append(refusals.shared_constant(constant))
            users = self._users(constant)
            for user in users:
                if user.is_function and user.role in (Role.CODE, Role.RESTRICTED):
                    text = f"it refers to {constant.name}, read-only data that changed"
                    self.changed.setdefault(id(user), Difference("data", text))
                elif user.role is Role.RODATA and id(user) not in self.changed_constants:
                    self.changed_constants[id(user)] = user
                    waiting.append(user)
                elif user.role is Role.DATA:
                    self.refusals.append(refusals.live_pointer(constant, user))
            early = [user for user in users if user.role in (Role.INIT, Role.EXIT, Role.FIXED)]
            if early:
                self.refusals.append(refusals.handed_over(constant, early[0]))

    def _users(self, atom: Atom) -> list[Atom]:
        """Return the lasting pieces with an identity that refer to one, seen through others.

        Those that the patched object no longer has are left out: nothing calls them any more.
        """
        found: list[Atom] = []
        waiting = list(self.original.referrers.get(id(atom), ()))
        seen: set[int] = set()
        while waiting:
            user = waiting.pop(0)
            if id(user) in seen:
                continue
            seen.add(id(user))
            if has_identity(user):
                if id(user) in self.pairs.patched_of or user.role is Role.FIXED:
                    found.append(user)
            else:
                waiting += self.original.referrers.get(id(user), ())
        return found

    def _join_cold_parts(self) -> None:
        """A function and the part that was split off it are one."""
        functions = {atom.name: atom for atom in self.original.atoms if atom.is_function}
        for atom in list(functions.values()):
            parent = functions.get(parent_name(atom.name) or "")
            if parent is None:
                continue
            self._cold.add(id(atom))
            if id(atom) not in self.changed:
                continue
            if id(parent) not in self.pairs.patched_of:
                del self.changed[id(atom)]  # gone with its function
                continue
            text = f"{atom.name}, split off it, differs: {self.changed[id(atom)].text}"
            self.changed.setdefault(id(parent), Difference("child", text))

    # -- what cannot be patched where it lies

    def _reach_untraceable(self) -> None:
        """Redirect what ftrace can hook; reach the rest through its callers, or refuse."""
        waiting = [atom for atom in self.original.atoms if id(atom) in self.changed]
        seen: set[int] = set()
        while waiting:
            atom = waiting.pop(0)
            if id(atom) in seen:
                continue
            seen.add(id(atom))
            if id(atom) in self._cold:
                continue  # its parent was taken for it
            if atom.role is not Role.CODE:
                self.refusals.append(refusals.early_code(atom, self._callers(atom)))
            elif id(atom) in self.original.traced:
                self.replaced[id(atom)] = atom
            else:
                waiting += self._through_callers(atom)

    def _callers(self, atom: Atom) -> list[Atom]:
        return [user for user in self._users(atom) if user.is_function]

    def _through_callers(self, atom: Atom) -> list[Atom]:
        """Take the callers of a function that cannot be hooked; return them."""
        users = self._users(atom)
        callers = [user for user in users if user.is_function and user.role is not Role.INIT]
        reachable = not atom.is_global and all(
            user.is_function and user.role in (Role.CODE, Role.INIT) for user in users
        )
        if not reachable or not callers:
            if not compiler_of(self.original.object):
                self.refusals.append(refusals.assembly(atom, callers))
            else:
                traced = [caller for caller in callers if id(caller) in self.original.traced]
                whole_file = not self.original.traced
                self.refusals.append(refusals.untraceable(atom, traced, whole_file=whole_file))
            return []
        for caller in callers:
            text = f"it calls {atom.name}, which changed and cannot be redirected itself"
            self.changed.setdefault(id(caller), Difference("callee", text))
        return callers

    # -- what goes into the livepatch

    def _take(self) -> None:
        """Collect the patched functions, and all that they need and the kernel has not."""
        partner = self.pairs.patched_of
        for atom in self.original.atoms:
            if id(atom) in self.changed and id(atom) in partner and atom.role is Role.CODE:
                self._take_function(partner[id(atom)])
        for atom in self.patched.atoms:
            if self.is_new_function(atom) and atom.role is Role.CODE:
                self._take_function(atom)
            elif self.is_new_function(atom):
                self.refusals.append(refusals.early_code(atom, [], new=True))

    def is_new_function(self, atom: Atom) -> bool:
        """Whether a patched function has no original."""
        return (
            atom.is_function
            and atom.role is not Role.FIXED
            and id(atom) not in self.pairs.original_of
        )

    def _take_function(self, atom: Atom) -> None:
        if id(atom) in self.taken:
            return
        self.taken[id(atom)] = atom
        self._follow(atom)

    def _follow(self, atom: Atom) -> None:
        for reference in self.patched.references(atom):
            self._need(reference.target, atom)
        for entry in self.patched.entries_of.get(id(atom), ()):
            for reference in entry.references:
                self._need(reference.target, atom)

    def _need(self, target: Target, by: Atom) -> None:
        atom = target.atom
        if atom is None or id(atom) in self.needed or id(atom) in self.taken or atom is by:
            return
        if atom.role in (Role.STRINGS, Role.CONSTANTS):
            return  # they always travel, and nothing can be said of them
        if atom.is_function:
            self._need_function(atom)
            return
        original = self.pairs.original_of.get(id(atom))
        if original is not None and id(original) not in self.changed_constants:
            return  # the patch refers to the kernel's own
        state, why = self._data_state(atom, original)
        self.needed[id(atom)] = Needed(atom, state, why)
        if state is DataState.NEW and not is_plain_data(atom.section.name):
            self.refusals.append(refusals.collected(atom))
        self._follow(atom)

    def _check_fresh_state(self) -> None:
        """Refuse new variables that may be old ones in disguise: their state would be lost."""
        lost = [
            atom
            for atom in self.original.atoms
            if atom.role is Role.DATA
            and has_identity(atom)
            and id(atom) not in self.pairs.patched_of
            and atom not in self.correlation.ambiguous
        ]
        fresh = [
            needed.atom
            for needed in self.needed.values()
            if needed.state is DataState.NEW and needed.atom.role is Role.DATA
        ]
        for atom in fresh:
            namesake = next((old for old in lost if stable(old.name) == stable(atom.name)), None)
            if namesake is not None:
                self.refusals.append(refusals.ambiguous(namesake))
            elif lost:
                names = ", ".join(old.name for old in lost[:4])
                self.warnings.append(
                    f"{atom.name} is new, and {names} went: if it is one of these renamed, "
                    "what the running kernel keeps there is lost"
                )

    def _check_tables(self) -> None:
        """Refuse a copy of a table of functions that changed: who is given it may outlive it."""
        for needed in self.needed.values():
            changed = id(needed.atom) in self.pairs.original_of
            if changed and self.is_table_of_functions(needed.atom):
                self.refusals.append(refusals.function_table(needed.atom))

    def is_table_of_functions(self, atom: Atom) -> bool:
        """Say whether patched read-only data with a name leads to code, as operations do."""
        return has_identity(atom) and atom.role is Role.RODATA and any(
            reference.target.atom is not None and reference.target.atom.is_function
            for reference in self.patched.references(atom)
        )  # fmt: skip

    def _check_threads(self) -> None:
        """Refuse a patch that would wait for ever for a kernel thread to leave its own function."""
        endless = endless_thread_functions(self.original) if self.replaced else set()
        for atom in self.replaced.values():
            if id(atom) in endless:
                self.refusals.append(refusals.thread_function(atom))

    def _check_handed_out(self) -> None:
        """Warn of new functions whose address goes where it may outlive the patch."""
        sources = [*self.taken.values(), *(needed.atom for needed in self.needed.values())]
        for source in sources:
            for reference in self.patched.references(source):
                atom = reference.target.atom
                if (
                    atom is not None
                    and atom is not source
                    and self.is_new_function(atom)
                    and parent_name(atom.name) is None
                    and not self.patched.is_branch(source, reference)
                ):
                    warning = (
                        f"{atom.name} is new, and {source.name} hands out its address: something "
                        "may call it after the patch is unloaded"
                    )
                    if warning not in self.warnings:
                        self.warnings.append(warning)

    def _need_function(self, atom: Atom) -> None:
        parent = parent_name(atom.name)
        belongs = parent is not None and any(one.name == parent for one in self.taken.values())
        if belongs or (self.is_new_function(atom) and atom.role is Role.CODE):
            self._take_function(atom)

    @staticmethod
    def _data_state(atom: Atom, original: Atom | None) -> tuple[DataState, str]:
        if original is not None:
            return DataState.TAKEN, "read-only data that changed"
        if has_identity(atom):
            return DataState.NEW, "not in the original object"
        if atom.role is Role.OWN:
            what = "a macro's static local" if atom.symbols else "anonymous data of the compiler"
            return DataState.TAKEN, f"{what}; the patch has its own"
        if atom.role is Role.CHUNKS:
            return DataState.TAKEN, "code that its function refers to"
        return DataState.TAKEN, "read-only data without a lasting name"

    def _compare_types(self) -> None:
        """Refuse a patch of code that expects structures to lie otherwise than they do."""
        changes = layout_changes(self.original.object, self.patched.object)
        self.types_compared = changes is not None
        if not self.taken:
            return
        for change in changes or ():
            if change.moves:
                self.refusals.append(refusals.type_layout(change.name, change.text))
            else:
                self.warnings.append(f"{change.name}: {change.text}; values in memory are old ones")
        for name in unknown_layouts(self.original.object, self.patched.object, self._suspects):
            text = "its definition changed, and whether its layout did the objects do not tell"
            self.refusals.append(refusals.type_layout(name, text))

    def _check_understood(self) -> None:
        if not self.correlation.same_files:
            trouble = "the two are linked of different files, so their local names cannot be told"
            self.refusals.append(refusals.not_understood("patched", trouble))
        for which, view in (("original", self.original), ("patched", self.patched)):
            self.refusals += [
                refusals.not_understood(which, trouble) for trouble in dict.fromkeys(view.troubles)
            ]


def compiler_of(obj: Object) -> str:
    """Return what the compiler wrote into ``.comment``; empty for assembly."""
    section = obj.section(".comment")
    if section is None or section.type == c.SHT_NOBITS:
        return ""
    return section.data.strip(b"\0").partition(b"\0")[0].decode("utf-8", "replace")
