"""From the clock that traces bear to the guest's boot clock, by two moments of both."""

from __future__ import annotations

import msgspec
from msgspec import Struct

WORTH_NS = 1_000_000_000
"""Of moments closer than this only the difference is taken: their own error would make the rate."""


class Moment(Struct, frozen=True, kw_only=True):
    """One moment by both clocks, in nanoseconds; as ``/lph/watch clocks`` tells it."""

    boot: int
    local: int
    uncertainty: int


class TraceClock:
    """Knows of a clock that is not the boot clock when it was what.

    The scheduler's clock counts a CPU's counter at a rate that the kernel measured, or was told;
    where that is wrong so are all spans of it, however small the difference at one moment.
    """

    def __init__(self) -> None:
        self._first: Moment | None = None
        self._last: Moment | None = None

    def begin(self, moment: Moment) -> None:
        """Take the moment before all that will be asked for."""
        self._first, self._last = moment, None

    def end(self, moment: Moment) -> None:
        """Take the moment after it."""
        self._last = moment

    @property
    def known(self) -> bool:
        """Whether any moment is known."""
        return self._first is not None or self._last is not None

    def boot_ns(self, local: int) -> int:
        """Return the boot clock's time at a time of the other; some moment must be known."""
        known = self._last or self._first
        assert known is not None
        return known.boot + round((local - known.local) * self._rate())

    def _rate(self) -> float:
        if self._first is None or self._last is None:
            return 1.0
        passed = self._last.local - self._first.local
        if passed < WORTH_NS:
            return 1.0
        return (self._last.boot - self._first.boot) / passed


def read_moment(text: str) -> Moment | None:
    """Read what ``/lph/watch clocks`` said; ``None`` where it could not tell."""
    try:
        return msgspec.json.decode(text.strip(), type=Moment)
    except msgspec.MsgspecError:
        return None
