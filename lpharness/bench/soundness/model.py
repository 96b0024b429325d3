"""What is asked of ``bench soundness``."""

from __future__ import annotations

from msgspec import Struct


class Settings(Struct, frozen=True, kw_only=True):
    """What is tried."""

    kernels: tuple[str, ...]
    """Kernel specs, as typed."""
    cases: tuple[str, ...] = ()
    """Names or folders; empty for all bundled ones."""
    workloads: tuple[str, ...] = ()
    """Names; empty for all that a case makes sense with."""
    number: int = 500
    """So many trials are drawn..."""
    seed: int = 1
    """...by this seed."""
    hogs: int = 1
    """Processes beside them that do nothing but burn a CPU each."""
    jobs: int = 2
    """Trials at a time."""


class Cell(Struct, frozen=True, kw_only=True, order=True):
    """One thing to try: a clean case where it is meant to be clean."""

    case: str
    kernel: str
    """The kernel's spec."""
    workload: str
    variant: str = ""


class Draw(Struct, frozen=True, kw_only=True):
    """A cell that was drawn, for the ``turn``-th time (from 0)."""

    cell: Cell
    turn: int
