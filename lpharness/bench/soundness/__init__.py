"""``lpharness bench soundness``: does a clean trial ever come to anything but a pass?"""

from lpharness.bench.soundness.account import account
from lpharness.bench.soundness.model import Settings
from lpharness.bench.soundness.run import measure

__all__ = ["Settings", "account", "measure"]
