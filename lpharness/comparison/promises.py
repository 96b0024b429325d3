"""What each model promises about the code that meets, place by place.

After a transition has begun, a token made by the incoming code may come to the outgoing
(*ahead*: it does not understand it), or one of the outgoing to the incoming (*behind*). The
simulation holds the same promises over random programs (``docs/simulation.md``).
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Meeting = Literal["ahead", "behind"]

ORDER = ("immediate", "ksplice", "kpatch", "kgraft", "hybrid")
"""From who promises least to who came last."""

_STOPPED = frozenset({"ksplice", "kpatch"})
_BY_STACK = _STOPPED | {"kgraft", "hybrid"}
_NOBODY: frozenset[str] = frozenset()


class Place(Struct, frozen=True, kw_only=True):
    """Where code meets."""

    name: str
    about: str
    ahead: frozenset[str]
    """The models that promise that it does not happen."""
    behind: frozenset[str]


PLACES = (
    Place(name="stack", about="along one stack: A calls B", ahead=_BY_STACK, behind=_BY_STACK),
    Place(
        name="syscall",
        about="A, then B, within one system call",
        ahead=_BY_STACK,
        behind=frozenset({"kgraft"}),
    ),
    Place(
        name="task",
        about="A and B in two system calls of one task",
        ahead=_BY_STACK,
        behind=_NOBODY,
    ),
    Place(
        name="kthread",
        about="A, then B, in one round of a kernel thread",
        ahead=_BY_STACK,
        behind=frozenset({"kgraft"}),
    ),
    Place(name="interrupt", about="A, then B, in one interrupt", ahead=_BY_STACK, behind=_BY_STACK),
    Place(name="threads", about="from one thread to another", ahead=_STOPPED, behind=_NOBODY),
    Place(
        name="interrupts",
        about="from one interrupt to the next, on any CPU",
        ahead=_STOPPED,
        behind=_NOBODY,
    ),
)
_BY_NAME = {place.name: place for place in PLACES}


def promised(model: str, place: str, meeting: Meeting) -> bool:
    """Tell whether a model promises that it never happens there; of an unknown place none does."""
    found = _BY_NAME.get(place)
    if found is None:
        return False
    return model in (found.ahead if meeting == "ahead" else found.behind)


def about(place: str) -> str:
    """Say what a place is."""
    found = _BY_NAME.get(place)
    return found.about if found else place
