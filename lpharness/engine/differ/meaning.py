"""Whether two pieces mean the same, given which pieces of the two objects correspond.

Equality is by content where a thing has no identity of its own (strings, constants, tables without
a name, static locals of macros), and by correspondence where it has (functions, variables). A
function that refers to another that changed has not changed by that.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from lpharness.engine.differ import lines
from lpharness.engine.differ.frames import without_lines
from lpharness.engine.differ.names import is_numbered, own_base, source_name, stable
from lpharness.engine.differ.pieces import Atom, Entry, Reference, Target
from lpharness.engine.differ.tables import Bits, Role, rule_for, tables
from lpharness.engine.differ.view import View


@dataclass(frozen=True, slots=True)
class Difference:
    """The first thing in which two pieces differ."""

    kind: str
    """``bytes``, ``size``, ``reference``, ``entries``, ``section``."""
    text: str
    offset: int | None = None
    """Where, in the original piece."""


class Pairs:
    """Which pieces of the two objects correspond; a one-to-one relation."""

    def __init__(self) -> None:
        self.patched_of: dict[int, Atom] = {}
        self.original_of: dict[int, Atom] = {}

    def add(self, original: Atom, patched: Atom) -> None:
        """Say that two pieces are the same thing."""
        self.patched_of[id(original)] = patched
        self.original_of[id(patched)] = original

    def has(self, original: Atom, patched: Atom) -> bool:
        """Whether one of the two has a partner."""
        return id(original) in self.patched_of or id(patched) in self.original_of

    def are(self, original: Atom, patched: Atom) -> bool:
        """Whether two pieces are the same thing."""
        return self.patched_of.get(id(original)) is patched


class Meaning:
    """Compares pieces of two objects."""

    def __init__(self, original: View, patched: View, pairs: Pairs) -> None:
        self.original = original
        self.patched = patched
        self.pairs = pairs
        self.line_changes: set[int] = set()
        """Original pieces (by ``id``) that were found equal but for line numbers."""
        self._content: dict[tuple[int, int], bool] = {}

    # -- pieces

    def difference(self, a: Atom, b: Atom) -> Difference | None:
        """Return the first difference in meaning of two corresponding pieces, or ``None``."""
        if _place(a) != _place(b):
            text = f"moved from {a.section.name} to {b.section.name}"
            return Difference("section", text)
        return self._references_and_bytes(a, b) or self._entries(a, b)

    def _references_and_bytes(self, a: Atom, b: Atom) -> Difference | None:
        if a.size != b.size:
            return Difference(
                "size", f"{a.size} bytes became {b.size}", self._first_differing_byte(a, b)
            )
        left, right = self.original.references(a), self.patched.references(b)
        mine, theirs = masked(a, left), masked(b, right)
        if a.zeroed or b.zeroed:
            at = _first_nonzero(mine or theirs)
            if at is not None:
                return Difference("bytes", "zeroed memory has a first value", at)
        elif mine != theirs:
            offsets = [i for i in range(a.size) if mine[i] != theirs[i]]
            if not self._line_numbers_only(a, b, offsets):
                return Difference("bytes", "the instructions differ", offsets[0])
            self.line_changes.add(id(a))
        for x, y in zip(left, right, strict=False):
            if (x.offset, x.type) != (y.offset, y.type) or not self.same_target(
                x.target, y.target, (a, b)
            ):
                return _reference_difference(x, y)
        if len(left) != len(right):
            extra = (left if len(left) > len(right) else right)[min(len(left), len(right))]
            return Difference("reference", f"a reference to {extra.target.name}", extra.offset)
        return None

    def _first_differing_byte(self, a: Atom, b: Atom) -> int:
        left = masked(a, self.original.references(a))
        right = masked(b, self.patched.references(b))
        shorter = min(len(left), len(right))
        return next((i for i in range(shorter) if left[i] != right[i]), shorter)

    def _line_numbers_only(self, a: Atom, b: Atom, offsets: list[int]) -> bool:
        if not a.section.executable:
            bits = _line_bits(a)
            return bits is not None and _without_line(a.data, bits) == _without_line(b.data, bits)
        return lines.only_line_numbers(self.original, a, offsets) and lines.only_line_numbers(
            self.patched, b, offsets
        )

    # -- references

    def same_target(self, x: Target, y: Target, within: tuple[Atom, Atom] | None = None) -> bool:
        """Whether two references name the same thing."""
        if x.atom is None or y.atom is None:
            return x.atom is y.atom and (x.name, x.offset) == (y.name, y.offset)
        a, b = x.atom, y.atom
        if a.role in (Role.STRINGS, Role.CONSTANTS) or b.role in (Role.STRINGS, Role.CONSTANTS):
            return a.role is b.role and self._same_constant(x, y, within)
        if self.pairs.are(a, b) or (within and (a, b) == within):
            return x.offset == y.offset
        return x.offset == y.offset and self._same_content(a, b)

    def _same_constant(self, x: Target, y: Target, within: tuple[Atom, Atom] | None) -> bool:
        if constant_at(x) == constant_at(y):
            return True
        left, right = frame_at(x), frame_at(y)
        if left is None or left != right:
            return False
        if within:
            self.line_changes.add(id(within[0]))
        return True

    def _same_content(self, a: Atom, b: Atom) -> bool:
        """Whether two pieces without identity have the same content."""
        if has_identity(a) or has_identity(b) or not _same_sort(a, b):
            return False
        key = (id(a), id(b))
        if key not in self._content:
            self._content[key] = True  # a piece may refer to itself
            self._content[key] = self._references_and_bytes(a, b) is None
        return self._content[key]

    # -- entries of special sections

    def _entries(self, a: Atom, b: Atom) -> Difference | None:
        left = [entry for entry in self.original.entries_of.get(id(a), ()) if entry.layout.compare]
        right = [entry for entry in self.patched.entries_of.get(id(b), ()) if entry.layout.compare]
        for x, y in zip(left, right, strict=False):
            text = self._entry_difference(a, b, x, y)
            if text:
                return Difference("entries", f"{x.table}: {text}", x.site)
        if len(left) != len(right):
            extra = (left if len(left) > len(right) else right)[min(len(left), len(right))]
            text = f"{extra.table}: {len(left)} entries in all, now {len(right)}"
            return Difference("entries", text, extra.site)
        return None

    def _entry_difference(self, a: Atom, b: Atom, x: Entry, y: Entry) -> str:
        if (x.table, x.site) != (y.table, y.site):
            return "an entry came, went or moved"
        if _entry_bytes(x) != _entry_bytes(y):
            return "an entry's fields differ"
        for left, right in zip(x.references, y.references, strict=False):
            if _chunk_is_empty(x, left):
                continue
            if left.offset != right.offset:
                return "an entry's references differ"
            if not self.same_target(left.target, right.target, (a, b)):
                return f"an entry refers to {left.target.name}, now to {right.target.name}"
        if len(x.references) != len(y.references):
            return "an entry's references differ"
        if x.layout.line and x.data != y.data:
            self.line_changes.add(id(a))
        return ""


def has_identity(atom: Atom) -> bool:
    """Whether a piece is one thing for the whole life of the kernel, found again by its name.

    A numbered local constant has none: its content is all there is to it.
    """
    if not atom.symbols or not atom.role.named:
        return False
    is_local_constant = atom.role is Role.RODATA and not atom.is_global
    return not (is_local_constant and is_numbered(atom.name))


def shape(view: View, atom: Atom) -> bytes:
    """Return a digest of what a piece looks like, static locals and clones aside.

    Equal shapes are strong evidence that two pieces correspond; no proof that they are equal.
    """
    digest = hashlib.sha256()
    references = view.references(atom)
    digest.update(masked(atom, references))
    for reference in references:
        digest.update(
            f"{reference.offset} {reference.type} {_token(reference)}\n".encode(
                "utf-8", "surrogateescape"
            )
        )
    return digest.digest()


def _token(reference: Reference) -> str:
    target = reference.target
    if target.atom is None:
        return f"{target.name}+{target.offset}"
    if target.atom.role in (Role.STRINGS, Role.CONSTANTS):
        return repr(frame_at(target) or constant_at(target))
    if target.atom.symbols:
        return f"{stable(target.name)}+{target.offset}"
    return f"{target.atom.section.name}"


def masked(atom: Atom, references: tuple[Reference, ...]) -> bytes:
    """Return a piece's bytes with zeros where it refers to something; nothing if it is zeroed."""
    data = bytearray(atom.data)
    for reference in references:
        end = min(reference.offset + reference.width, len(data))
        data[reference.offset : end] = bytes(max(end - reference.offset, 0))
    return bytes(data)


def _first_nonzero(data: bytes) -> int | None:
    rest = data.lstrip(b"\0")
    return len(data) - len(rest) if rest else None


def constant_at(target: Target) -> tuple[bytes, int]:
    """Return the string that a reference names, or the constant and the place in it."""
    atom = target.atom
    assert atom is not None
    section, at = atom.section, atom.start + target.offset
    if atom.role is Role.STRINGS:
        width = max(section.entry_size, 1)
        end = at
        while end < len(section.data) and any(section.data[end : end + width]):
            end += width
        return section.data[at:end], 0
    start = at - at % section.entry_size
    return section.data[start : start + section.entry_size], at - start


def frame_at(target: Target) -> bytes | None:
    """Return what KASAN's description of a stack frame says but for lines; ``None``: it is none."""
    if target.atom is None or target.atom.role is not Role.STRINGS:
        return None
    text, _ = constant_at(target)
    return without_lines(text)


def _place(atom: Atom) -> str:
    """What of a piece's section matters: code may lie in .text.foo or .text.unlikely.foo."""
    if atom.role in (Role.CODE, Role.RODATA):
        return atom.role
    if atom.role is Role.DATA:
        name = atom.section.name
        return "percpu" if name.startswith(".data..percpu") else atom.role
    return atom.section.name


def _same_sort(a: Atom, b: Atom) -> bool:
    """Whether two pieces without identity are the same kind of thing."""
    if a.role is not b.role:
        return False
    if a.role is Role.OWN and a.symbols and b.symbols:
        return source_of_own(a) == source_of_own(b)
    return bool(a.symbols) == bool(b.symbols)


def source_of_own(atom: Atom) -> str:
    """Return which macro a static local comes from, or its section's name."""
    return own_base(atom.name, writable=atom.section.writable) or atom.section.name


def _line_bits(atom: Atom) -> Bits | None:
    if atom.role is not Role.OWN:
        return None
    rule = rule_for(atom.section.name)
    if rule and rule.line:
        return rule.line
    return tables().own.line.get(source_name(atom.name))


def _without_line(data: bytes, bits: Bits) -> bytes:
    width = (bits.mask.bit_length() + 31) // 32 * 4
    field = data[bits.offset : bits.offset + width]
    value = int.from_bytes(field, "little") & ~bits.mask
    return data[: bits.offset] + value.to_bytes(width, "little") + data[bits.offset + width :]


def _entry_bytes(entry: Entry) -> bytes:
    """An entry's plain fields: no relocated ones, no line number."""
    data = bytearray(entry.data)
    for reference in entry.references:
        data[reference.offset : reference.offset + reference.width] = bytes(reference.width)
    line = entry.layout.line
    if line and line.in_size == len(data):
        data[line.offset : line.offset + line.width] = bytes(line.width)
    return bytes(data)


def _chunk_is_empty(entry: Entry, reference: Reference) -> bool:
    """Whether a reference is to code of no length, which may be anywhere."""
    chunk = entry.layout.chunk
    return (
        chunk is not None
        and reference.offset == chunk.offset
        and not entry.data[-chunk.length_from_end]
    )


def _reference_difference(x: Reference, y: Reference) -> Difference:
    if x.offset != y.offset:
        first = min(x, y, key=lambda reference: reference.offset)
        return Difference("reference", f"a reference to {first.target.name}", first.offset)
    left, right = _describe(x.target), _describe(y.target)
    if left == right:
        text = f"refers to {left}, which is another or has changed"
    else:
        text = f"refers to {left}, now to {right}"
    return Difference("reference", text, x.offset)


def _describe(target: Target) -> str:
    if target.atom and target.atom.role is Role.STRINGS:
        return repr(constant_at(target)[0].decode("utf-8", "replace"))
    if target.atom and target.atom.role is Role.CONSTANTS:
        return f"the constant {constant_at(target)[0].hex()}"
    return f"{target.name}{f'+{target.offset:#x}' if target.offset > 0 else ''}"
