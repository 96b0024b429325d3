"""``lpharness bench fixes``: shipped fixes by the hundred, each built, loaded, kept busy, unloaded.

After Ksplice's measure (Arnold and Kaashoek, EuroSys 2009), which took 64 security fixes of Linux
and made 56 of them into patches without new code.
"""

from lpharness.bench.fixes.model import Fix, Outcome, Settings
from lpharness.bench.fixes.run import measure

__all__ = ["Fix", "Outcome", "Settings", "measure"]
