"""``struct klp_patch`` and what hangs on it, read from a module's data and relocations.

The public fields stand first in each structure and have not moved since 4.12
(include/linux/livepatch.h; ``states`` came with 5.5):

    klp_patch  { struct module *mod; klp_object *objs; klp_state *states; bool replace; … }
    klp_object { const char *name; klp_func *funcs; klp_callbacks { 4 pointers; bool }; … }
    klp_func   { const char *old_name; void *new_func; unsigned long old_sympos; … }
    klp_state  { unsigned long id; unsigned int version; void *data; }

What follows (kobjects, lists) differs by version and config, so the *strides* of the arrays
cannot be taken for granted. They are worked out from the file: a variable's symbol gives an
array's whole size and relocations show where its elements begin. Without symbols the distance of
the first two elements tells, if everything between them is unset as the kernel wants it; and where
every array has one element nothing tells, and nothing more is needed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

from msgspec import Struct

from lpharness.elf.reader import Elf, Place, not_this

_VMLINUX = "vmlinux"
_WORD = 8
_STATE_SIZE = 24
_MOST = 20_000  # functions, objects, states and array starts; far above any real patch
CALLBACKS = ("pre_patch", "post_patch", "pre_unpatch", "post_unpatch")


class KlpFunction(Struct, frozen=True, kw_only=True):
    """A ``klp_func``."""

    object: str
    """Module that the old function is in, or ``vmlinux``."""
    old: str
    sympos: int
    """``old_sympos`` as it stands in the module; 0 means that the name must be unique."""
    new: str


class KlpObject(Struct, frozen=True, kw_only=True):
    """A ``klp_object``."""

    name: str
    """``vmlinux`` where the structure's name is NULL."""
    functions: tuple[KlpFunction, ...]
    callbacks: dict[str, str]
    """``pre_patch``, ``post_patch``, ``pre_unpatch``, ``post_unpatch`` to the function called."""
    misnamed: bool = False
    """Whether it has the name ``vmlinux``, which is no module's, where NULL is meant."""


class KlpState(Struct, frozen=True, kw_only=True):
    """A ``klp_state``."""

    id: int
    version: int


class KlpPatch(Struct, frozen=True, kw_only=True):
    """A ``klp_patch``."""

    symbol: str
    """Name of the variable; empty if no symbol tells."""
    objects: tuple[KlpObject, ...]
    states: tuple[KlpState, ...]
    replace: bool | None
    """Whether it replaces all earlier patches; ``None`` where only code at load time knows."""
    func_stride: int
    object_stride: int
    table: str = "klp_patch"
    """What it was read from: the structure itself, or the section of another builder's table."""


def read_patch(elf: Elf) -> KlpPatch | None:
    """Return the patch that the module hands to ``klp_enable_patch``; ``None`` if none is found.

    Raises:
        InputError: the structures contradict themselves.
    """
    place = _find(elf)
    return _read(elf, place) if place else None


def _find(elf: Elf) -> Place | None:
    """Find the ``klp_patch``: a pointer to ``__this_module`` with a pointer to objects behind it.

    Where several structures look like one, the one whose address is loaded just before a call
    of ``klp_enable_patch`` is meant.
    """
    candidates = [
        place
        for place, (symbol, addend) in elf.pointers.items()
        if symbol.name == "__this_module" and addend == 0 and _looks_like_patch(elf, place)
    ]
    if len(candidates) > 1:
        handed = set(_handed_over(elf))
        candidates = [place for place in candidates if place in handed] or candidates
    return min(candidates, default=None)


def _looks_like_patch(elf: Elf, place: Place) -> bool:
    objects = elf.follow(after(place, _WORD))
    return objects is not None and _is_object(elf, objects)


def _handed_over(elf: Elf) -> Iterator[Place]:
    """Yield the places whose address is loaded last before each call of ``klp_enable_patch``."""
    for table in elf.relocation_sections():
        code = elf.at(table.info)
        if code is None or not code.executable:
            continue
        loaded: list[Place] = []
        for relocation in sorted(elf.relocations(table)):
            symbol = elf.symbol(relocation.symbol)
            if symbol.name == "klp_enable_patch":
                yield from loaded
            section = elf.at(symbol.section)
            if section is not None and section.data:
                at = symbol.value + relocation.addend
                # lea patch(%rip) counts from the instruction's end, 4 bytes on.
                loaded = [Place(section.number, at), Place(section.number, at + 4)]


def _read(elf: Elf, place: Place) -> KlpPatch:
    start = elf.follow(after(place, _WORD))
    assert start is not None
    budget = _Budget(elf)
    object_stride = _stride(elf, [start], _OBJECTS)
    objects = list(budget.bound(_elements(elf, start, object_stride, _may_be_object)))
    starts = [target for item in objects if (target := elf.follow(after(item, _WORD)))]
    func_stride = _stride(elf, starts, _FUNCTIONS)
    return KlpPatch(
        symbol=elf.variable_at(place),
        objects=tuple(_object(elf, item, func_stride, budget) for item in objects),
        states=_states(elf, elf.follow(after(place, 2 * _WORD)), budget),
        replace=elf.number_at(after(place, 3 * _WORD), 1) != 0,
        func_stride=func_stride,
        object_stride=object_stride,
    )


class _Budget:
    """Bounds the work that a file whose structures share one huge array could ask for."""

    def __init__(self, elf: Elf) -> None:
        self._elf, self._left = elf, _MOST

    def bound(self, places: Iterator[Place]) -> Iterator[Place]:
        for place in places:
            self.spend()
            yield place

    def spend(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise not_this(self._elf.path, f"more than {_MOST} patched functions: damaged")


def _object(elf: Elf, place: Place, func_stride: int, budget: _Budget) -> KlpObject:
    given = elf.text_behind(place)
    name = given or _VMLINUX
    start = elf.follow(after(place, _WORD))
    items = _elements(elf, start, func_stride, _is_function) if start else iter(())
    functions = tuple(
        KlpFunction(
            object=name,
            old=elf.text_behind(item) or "",
            sympos=elf.number_at(after(item, 2 * _WORD), _WORD),
            new=elf.code_behind(after(item, _WORD)) or "",
        )
        for item in budget.bound(items)
    )
    callbacks = {
        kind: called
        for index, kind in enumerate(CALLBACKS)
        if (called := elf.code_behind(after(place, (2 + index) * _WORD)))
    }
    return KlpObject(
        name=name, functions=functions, callbacks=callbacks, misnamed=given == _VMLINUX
    )


def _states(elf: Elf, start: Place | None, budget: _Budget) -> tuple[KlpState, ...]:
    """Read the states up to the one whose id is 0."""
    states: list[KlpState] = []
    while start is not None and (number := elf.number_at(start, _WORD)):
        budget.spend()
        states.append(KlpState(id=number, version=elf.number_at(after(start, _WORD), 4)))
        start = after(start, _STATE_SIZE)
    return tuple(states)


def _elements(elf: Elf, start: Place, stride: int, matches: _Matches) -> Iterator[Place]:
    """Yield an array's elements up to its zero end; a symbol's end bounds it too."""
    end = elf.end_of_object(start)
    item = start
    while matches(elf, item) and (end is None or item.offset < end):
        yield item
        item = after(item, stride)


def _stride(elf: Elf, starts: list[Place], kind: _Kind) -> int:
    """Work out the size of an element from all arrays of a kind.

    Raises:
        InputError: arrays disagree, so something else is taken for an array.
    """
    votes: Counter[int] = Counter()
    distinct = sorted(set(starts))
    for start, following in zip(distinct, [*distinct[1:], None], strict=True):
        votes.update(_votes(elf, start, _end(elf, start, following), kind))
    if not votes or kind.usual in votes:
        return kind.usual
    stride = min(votes)
    if any(other % stride for other in votes):
        raise not_this(elf.path, f"livepatch arrays with elements of {sorted(votes)} bytes")
    return stride


def _end(elf: Elf, start: Place, following: Place | None) -> int:
    """Return an offset at which the array at ``start`` has ended at the latest."""
    section = elf.at(start.section)
    assert section is not None
    in_section = following is not None and following.section == start.section
    bound = following.offset if following is not None and in_section else section.size
    return min(elf.end_of_object(start) or bound, bound)


def _votes(elf: Elf, start: Place, end: int, kind: _Kind) -> Iterator[int]:
    """Yield the stride that one array suggests."""
    hits = _hits(elf, start, end, kind.matches)
    if not hits or hits[0] != start.offset:
        return
    if elf.end_of_object(start) == end:
        size = end - start.offset
        if size % (len(hits) + 1) == 0 and size // (len(hits) + 1) >= kind.public:
            yield size // (len(hits) + 1)  # the one more is the zero end
        return
    gaps = [later - earlier for earlier, later in pairwise(hits)]
    if gaps and all(gap % kind.usual == 0 for gap in gaps):
        yield kind.usual
    elif gaps and gaps[0] >= kind.public and _could_be_array(elf, start, gaps[0], kind):
        yield gaps[0]


def _could_be_array(elf: Elf, start: Place, stride: int, kind: _Kind) -> bool:
    """Tell whether elements of this size fit: private fields unset, a zero element as the end.

    Without symbols nothing else tells an array's second element from a stranger behind it.
    """
    elements = list(_elements(elf, start, stride, kind.matches))
    end = after(start, stride * len(elements))
    private = [(after(item, kind.public), stride - kind.public) for item in elements]
    return all(_unset(elf, place, size) for place, size in [*private, (end, kind.public)])


def _unset(elf: Elf, place: Place, size: int) -> bool:
    section = elf.at(place.section)
    if section is None or place.offset + size > section.size:
        return False
    offsets = elf.pointer_offsets(place.section)
    first = bisect_left(offsets, place.offset)
    pointed = first < len(offsets) and offsets[first] < place.offset + size
    return not pointed and elf.number_at(place, size) == 0


def _hits(elf: Elf, start: Place, end: int, matches: _Matches) -> list[int]:
    """Return the offsets from ``start`` to ``end`` where an element may begin."""
    offsets = elf.pointer_offsets(start.section)
    found = set()
    for offset in offsets[bisect_left(offsets, start.offset) : bisect_left(offsets, end)]:
        # An object's name may be NULL, so that its first pointer is its second word.
        for begins in (offset, offset - _WORD):
            if begins >= start.offset and matches(elf, Place(start.section, begins)):
                found.add(begins)
    return sorted(found)


def _is_function(elf: Elf, place: Place) -> bool:
    """Tell whether a pointer to text and a pointer to code stand here."""
    return elf.text_behind(place) is not None and elf.code_behind(after(place, _WORD)) is not None


def _is_object(elf: Elf, place: Place) -> bool:
    """Tell whether an object stands here whose first function can be seen."""
    functions = elf.follow(after(place, _WORD))
    return _may_be_object(elf, place) and functions is not None and _is_function(elf, functions)


def _may_be_object(elf: Elf, place: Place) -> bool:
    """Tell whether NULL or text and then a pointer to data stand here."""
    functions = elf.follow(after(place, _WORD))
    section = elf.at(functions.section) if functions else None
    named = place not in elf.pointers or elf.text_behind(place) is not None
    return named and section is not None and section.data


def after(place: Place, distance: int) -> Place:
    """Return the place so many bytes behind another."""
    return Place(place.section, place.offset + distance)


_Matches = Callable[[Elf, Place], bool]


class _Kind(NamedTuple):
    """What is known beforehand of the elements of a kind of array."""

    matches: _Matches
    public: int
    """Bytes from the start in which a module may have set something."""
    usual: int
    """The size if the file does not tell: 64-bit, no CONFIG_DEBUG_KOBJECT_RELEASE, 5.5 to 6.12."""


_FUNCTIONS = _Kind(_is_function, public=3 * _WORD, usual=152)
_OBJECTS = _Kind(_is_object, public=6 * _WORD, usual=168)
