"""Finds which piece of the patched object is which piece of the original.

Most names say it. What the compiler numbers (clones such as ``foo.isra.0``, static locals such as
``count.3``) has to be found out, and there the two kinds differ in what a mistake would cost:

- Functions carry no state. Any one-to-one pairing is sound, since a function counts as unchanged
  only if all that it refers to corresponds; a bad pairing takes too much, never too little.
- Writable data carries the running kernel's state. Two variables are paired only on evidence: the
  same place in functions that are otherwise equal, or the same functions referring to them. What
  stays ambiguous is not paired, and said.
"""

from __future__ import annotations

from collections import defaultdict

from lpharness.elf import constants as c
from lpharness.engine.differ.meaning import Pairs, has_identity, shape
from lpharness.engine.differ.names import is_numbered, parent_name, stable
from lpharness.engine.differ.pieces import Atom
from lpharness.engine.differ.tables import Role
from lpharness.engine.differ.view import View

_DATA = "data"
_Key = tuple[str, str, int]


class Correlation:
    """The pairs found, and what could not be told apart."""

    def __init__(self, original: View, patched: View) -> None:
        self.original = original
        self.patched = patched
        self.pairs = Pairs()
        self.ambiguous: list[Atom] = []
        """Original variables that may correspond to more than one patched one."""
        self.same_files = _same_files(original, patched)
        """Whether the objects come of the same source files, in the same order."""
        self._shapes: dict[int, bytes] = {}
        self._pair_by_name()
        self._pair_clones()
        self._pair_cold_parts()
        self._pair_by_place()
        self._pair_by_referrers()
        self._pair_equal_constants()

    # -- what a name tells

    def _candidates(self, view: View) -> dict[_Key, list[Atom]]:
        """Group the unpaired pieces that have an identity by what their names say."""
        known = self.pairs.patched_of if view is self.original else self.pairs.original_of
        groups: dict[_Key, list[Atom]] = defaultdict(list)
        for atom in view.atoms:
            if has_identity(atom) and id(atom) not in known:
                file = 0 if atom.is_global else atom.file
                groups[_sort(atom), stable(atom.name), file].append(atom)
        return groups

    def _pair_by_name(self) -> None:
        """Pair what has the same name, which the compiler has not numbered, and the same scope."""
        for scoped in (True, False):  # a function may have become static, or global
            left, right = self._by_name(self.original, scoped), self._by_name(self.patched, scoped)
            for key, atoms in left.items():
                others = right.get(key, [])
                sole = len(atoms) == len(others) == 1
                if sole and not self.pairs.has(atoms[0], others[0]):
                    self.pairs.add(atoms[0], others[0])

    def _by_name(self, view: View, scoped: bool) -> dict[_Key, list[Atom]]:
        known = self.pairs.patched_of if view is self.original else self.pairs.original_of
        groups: dict[_Key, list[Atom]] = defaultdict(list)
        for atom in view.atoms:
            if not has_identity(atom) or id(atom) in known:
                continue
            file = (0 if atom.is_global else atom.file) if scoped else 0
            for symbol in atom.symbols:  # one more alias makes no other function of it
                if not is_numbered(symbol.name):
                    groups[_sort(atom), symbol.name, file].append(atom)
        return groups

    # -- functions

    def _pair_clones(self) -> None:
        """Pair clones of the same kind: equal ones first, then by number, then in order."""
        right = self._candidates(self.patched)
        for key, atoms in self._candidates(self.original).items():
            if key[0] == _DATA:
                continue
            others = [atom for atom in right.get(key, []) if parent_name(atom.name) is None]
            atoms = [atom for atom in atoms if parent_name(atom.name) is None]
            for alike in (self._same_name_and_shape, self._same_shape, _same_name, _anything):
                for atom in list(atoms):
                    match = next((other for other in others if alike(atom, other)), None)
                    if match is not None:
                        self.pairs.add(atom, match)
                        atoms.remove(atom)
                        others.remove(match)

    def _shape(self, view: View, atom: Atom) -> bytes:
        if id(atom) not in self._shapes:
            self._shapes[id(atom)] = shape(view, atom)
        return self._shapes[id(atom)]

    def _same_shape(self, atom: Atom, other: Atom) -> bool:
        return self._shape(self.original, atom) == self._shape(self.patched, other)

    def _same_name_and_shape(self, atom: Atom, other: Atom) -> bool:
        return atom.name == other.name and self._same_shape(atom, other)

    def _pair_cold_parts(self) -> None:
        """Pair ``foo.cold`` with ``foo``'s partner's."""
        cold = {
            atom.name: atom
            for atom in self.patched.atoms
            if atom.is_function and parent_name(atom.name)
        }
        parents = {atom.name: atom for atom in self.original.atoms if atom.is_function}
        for atom in self.original.atoms:
            parent = parents.get(parent_name(atom.name) or "")
            if not atom.is_function or parent is None:
                continue
            partner = self.pairs.patched_of.get(id(parent))
            if partner is None:
                continue
            match = next((cold[n] for n in cold if parent_name(n) == partner.name), None)
            if match is not None:
                self.pairs.add(atom, match)

    # -- variables

    def _pair_by_place(self) -> None:
        """Pair variables that equal functions, or equal variables, refer to at the same place."""
        votes: dict[int, dict[int, tuple[Atom, Atom]]] = defaultdict(dict)
        known = {id(atom): atom for atom in self.original.atoms}
        for key, patched in list(self.pairs.patched_of.items()):
            atom = known[key]
            if not self._same_shape(atom, patched):
                continue
            left, right = self.original.references(atom), self.patched.references(patched)
            for x, y in zip(left, right, strict=True):
                a, b = x.target.atom, y.target.atom
                if a and b and self._may_pair(a, b):
                    votes[id(a)][id(b)] = (a, b)
        claimed: dict[int, int] = defaultdict(int)
        for voted in votes.values():
            for other in voted:
                claimed[other] += 1
        for voted in votes.values():
            pairs = list(voted.values())
            if len(pairs) == 1 and claimed[id(pairs[0][1])] == 1:
                self.pairs.add(*pairs[0])

    def _may_pair(self, a: Atom, b: Atom) -> bool:
        return (
            not a.section.executable
            and not b.section.executable
            and has_identity(a)
            and has_identity(b)
            and id(a) not in self.pairs.patched_of
            and id(b) not in self.pairs.original_of
            and stable(a.name) == stable(b.name)
        )

    def _pair_by_referrers(self) -> None:
        """Pair the rest where the same functions refer to exactly one candidate each."""
        right = self._candidates(self.patched)
        for key, atoms in self._candidates(self.original).items():
            others = right.get(key, [])
            if key[0] == _DATA and atoms and others:
                self._pair_group(atoms, others)

    def _pair_equal_constants(self) -> None:
        """Pair numbered local constants with equal ones, so that their addresses stay the same.

        Which of several equal ones is which does not matter for what is read through them.
        """
        right: dict[str, list[Atom]] = defaultdict(list)
        for atom in self.patched.atoms:
            if _is_numbered_constant(atom):
                right[stable(atom.name)].append(atom)
        for atom in self.original.atoms:
            if not _is_numbered_constant(atom):
                continue
            others = right[stable(atom.name)]
            alike = [other for other in others if self._same_shape(atom, other)]
            best = next((o for o in alike if self._share_referrers(atom, o)), None)
            match = best or next(iter(alike), None)
            if match is not None:
                self.pairs.add(atom, match)
                others.remove(match)

    def _pair_group(self, atoms: list[Atom], others: list[Atom]) -> None:
        while True:
            options = {
                id(atom): [other for other in others if self._share_referrers(atom, other)]
                for atom in atoms
            }
            sole = next(
                (
                    (atom, options[id(atom)][0])
                    for atom in atoms
                    if len(options[id(atom)]) == 1
                    and sum(options[id(atom)][0] in found for found in options.values()) == 1
                ),
                None,
            )
            if sole is None:
                self.ambiguous += [atom for atom in atoms if self._matters(atom, options)]
                return
            self.pairs.add(*sole)
            atoms.remove(sole[0])
            others.remove(sole[1])

    @staticmethod
    def _matters(atom: Atom, options: dict[int, list[Atom]]) -> bool:
        """Whether not knowing a piece's partner can do harm: constants carry no state."""
        return bool(options[id(atom)]) and atom.role is Role.DATA

    def _share_referrers(self, atom: Atom, other: Atom) -> bool:
        """Whether a function that refers to one has a partner that refers to the other."""
        if atom.role is not other.role or not _same_home(atom, other):
            return False
        mine = self._reached_from(self.original, atom, self.pairs.patched_of)
        theirs = self._reached_from(self.patched, other, self.pairs.original_of)
        return any(id(self.pairs.patched_of[key]) in theirs for key in mine)

    @staticmethod
    def _reached_from(view: View, atom: Atom, paired: dict[int, Atom]) -> set[int]:
        """The paired pieces that refer to this one, seen through those that came or went.

        A function that was inlined in one compilation and not in the other is looked through.
        """
        found: set[int] = set()
        waiting: list[Atom] = list(view.referrers.get(id(atom), ()))
        seen = {id(atom)}
        while waiting:
            referrer = waiting.pop()
            if id(referrer) in seen:
                continue
            seen.add(id(referrer))
            if id(referrer) in paired:
                found.add(id(referrer))
            else:
                waiting += view.referrers.get(id(referrer), ())
        return found


def _same_files(original: View, patched: View) -> bool:
    """Local names are told apart by the file they belong to; one file may have another name."""
    left, right = (
        [symbol.name for symbol in view.object.symbols if symbol.type == c.STT_FILE]
        for view in (original, patched)
    )
    return left == right or (len(left) <= 1 and len(right) <= 1)


def _is_numbered_constant(atom: Atom) -> bool:
    return atom.role is Role.RODATA and bool(atom.symbols) and not has_identity(atom)


def _sort(atom: Atom) -> str:
    """What a piece can correspond to: start-up code that became ordinary code is new code."""
    if atom.section.executable or atom.role in (Role.INIT, Role.EXIT):
        return atom.role.value
    return _DATA


def _same_name(atom: Atom, other: Atom) -> bool:
    return atom.name == other.name


def _anything(atom: Atom, other: Atom) -> bool:  # noqa: ARG001
    return True


def _same_home(atom: Atom, other: Atom) -> bool:
    """Whether two variables live in the same kind of section (``.bss`` and ``.data`` are one)."""
    return _home(atom.section.name) == _home(other.section.name)


def _home(section: str) -> str:
    if section.startswith(".data..") or not section.startswith((".data", ".bss")):
        return section
    return ".data"
