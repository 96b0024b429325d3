"""What a user asks to be tried, and how."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from lpharness.cases.model import Case, Pace
from lpharness.models import HYBRID
from lpharness.trial.plan import USUAL


class GuestSettings(Struct, frozen=True, kw_only=True):
    """What all guests of a run are like."""

    backend: str = "qemu"
    uri: str | None = None
    accelerator: Literal["auto", "tcg", "kvm"] = "auto"
    cpus: int = 2
    memory_mb: int = 512
    fresh: bool = False
    keep_memory: bool = False
    beats: bool = False
    """Whether each CPU gets a heartbeat in the kernel, finer than a process's."""


class Settings(GuestSettings, frozen=True, kw_only=True):
    """How everything in a run is tried."""

    pace: Pace = USUAL
    seed: int | None = None


class Request(Settings, frozen=True, kw_only=True):
    """What a user asks to be tried: each case, kernel, workload and model with each."""

    cases: tuple[Case, ...]
    kernels: tuple[str, ...]
    """Kernel specs, as typed."""
    workloads: tuple[str, ...] = ()
    """Names; empty for each case's default."""
    variants: tuple[str, ...] = ()
    """Names; empty for all that a case has."""
    models: tuple[str, ...] = (HYBRID,)
    """Names of consistency models."""
    repeat: int = 1
