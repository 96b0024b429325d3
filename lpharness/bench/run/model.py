"""What is asked of ``bench run``."""

from __future__ import annotations

from msgspec import Struct


class Settings(Struct, frozen=True, kw_only=True):
    """What is measured."""

    kernel: str
    trials: int = 40
    """So many, each way."""
    rounds: int = 4
    """In so many parts, each of them tried in every way before the next."""
    jobs: tuple[int, ...] = ()
    """So many at a time, one after the other; 1 and the machine's CPUs if empty."""
    results: int = 10_000
    """So many results are in the folder of the run that goes on; 0: that is not measured."""
    cluster: bool = True
    """Whether the same is tried on a cluster of this machine."""
