"""One deadline, passed down instead of many time-outs."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from lpharness.base.errors import DeadlineExpired


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point on the host's monotonic clock after which waiting is pointless.

    Made once by whoever knows how long the whole may take, then handed to every callee.
    """

    at: float
    """Seconds on ``time.monotonic()``; ``math.inf`` for none."""

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """Return the deadline ``seconds`` from now."""
        return cls(time.monotonic() + seconds)

    @classmethod
    def never(cls) -> Deadline:
        """Return a deadline that does not expire."""
        return cls(math.inf)

    def remaining(self) -> float:
        """Return the seconds left, never negative; ``inf`` if there is no end."""
        return max(0.0, self.at - time.monotonic())

    def sooner(self, seconds: float) -> Deadline:
        """Return the earlier of this deadline and ``seconds`` from now."""
        return Deadline(min(self.at, time.monotonic() + seconds))

    @property
    def expired(self) -> bool:
        """Whether the point has passed."""
        return time.monotonic() >= self.at

    def check(self, what: str) -> None:
        """Raise `DeadlineExpired` naming ``what`` if the point has passed."""
        if self.expired:
            raise DeadlineExpired(f"ran out of time: {what}")
