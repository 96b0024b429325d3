"""Main functions of kernel threads: always on their thread's stack, so never to be left.

A livepatch waits until no task is in a function that it replaces. A thread sleeps somewhere below
its main function and comes back to it; a patch of that function would wait for ever, and no other
patch could be loaded meanwhile. A thread that does one thing and ends holds nobody up.
"""

from __future__ import annotations

from lpharness.engine.differ.pieces import Atom
from lpharness.engine.differ.tables import tables
from lpharness.engine.differ.view import View


def endless_thread_functions(view: View) -> set[int]:
    """Return (by ``id``) the functions that are handed to what starts threads, and stay."""
    started = (main for atom in view.atoms if atom.is_function for main in _handed_over(view, atom))
    return {id(main) for main in started if _stays(view, main)}


def _handed_over(view: View, atom: Atom) -> list[Atom]:
    """Return the functions whose address is taken right before a call that starts a thread."""
    found: list[Atom] = []
    waiting: list[Atom] = []
    for reference in view.references(atom):
        target = reference.target
        if view.is_branch(atom, reference):
            if target.atom is None and target.name in tables().threads.makers:
                found += waiting
            waiting = []
        elif target.atom is not None and target.atom.is_function and not target.offset:
            waiting.append(target.atom)
    return found


def _stays(view: View, atom: Atom) -> bool:
    """Whether a thread's main function asks if it should stop, or never returns."""
    names = {reference.target.name for reference in view.references(atom)}
    if names & set(tables().threads.stays):
        return True
    decoded = view.decoded(atom)
    returns = any(one.text.split()[0] == "ret" for one in decoded.instructions)
    return decoded.complete and not returns and not names & set(tables().threads.returns)
