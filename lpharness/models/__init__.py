"""The consistency models beside the kernel's own, in the guest.

A model is a C file of the folder ``models/`` beside the package; ``docs/models.md`` has them all.
"""

from lpharness.checks.models import HYBRID
from lpharness.models.build import Core, build_core
from lpharness.models.catalog import known_models, require_models, unfit
from lpharness.models.registration import registered

__all__ = [
    "HYBRID",
    "Core",
    "build_core",
    "known_models",
    "registered",
    "require_models",
    "unfit",
]
