"""From a source diff to pairs of compiled objects, and the proof that they are the kernel's.

`lpharness.sources.prepare.prepare_tree` gives the tree, `plan_diff` tells which objects a diff
touches, `compile_pairs` compiles each as it was and as it becomes, `prove_base` holds what it was
against the kernel that was shipped.
"""

from lpharness.engine.objects.pairs import ObjectPair, compile_pairs
from lpharness.engine.objects.plan import DiffPlan, PlanRefusal, TouchedFile, plan_diff
from lpharness.engine.objects.proof import BaseProof, FunctionProof, Match, prove_base
from lpharness.engine.objects.unit import Unit

__all__ = [
    "BaseProof",
    "DiffPlan",
    "FunctionProof",
    "Match",
    "ObjectPair",
    "PlanRefusal",
    "TouchedFile",
    "Unit",
    "compile_pairs",
    "plan_diff",
    "prove_base",
]
