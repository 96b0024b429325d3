"""Whether a patch can live with the states that others have changed (kernel/livepatch/state.c)."""

from __future__ import annotations

from collections.abc import Iterable

from lpharness.reference.spec import PatchSpec


def compatible(patch: PatchSpec, installed: Iterable[PatchSpec]) -> bool:
    """Tell whether it is (klp_is_patch_compatible).

    A replacing patch must know each state of the others; nobody may know an older version of one.
    """
    mine = dict(patch.states)
    return all(
        mine[number] >= version if number in mine else not patch.replace
        for other in installed
        for number, version in other.states
    )
