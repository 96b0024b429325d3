"""What a trial is made of: everything built, fetched and unpacked."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from lpharness.cases.model import Case, Pace, Variant
from lpharness.checks.contract import PatchedFunction
from lpharness.engine.build import Module
from lpharness.engine.registrar import LIVEPATCH, MODELS, Registrar
from lpharness.guests.contract import GuestSpec
from lpharness.results.model import Build, TrialId
from lpharness.workloads.catalog import Workload

MOST_COUNTED = 12
"""Functions of which calls are counted unless told otherwise."""


USUAL = Pace(baseline_s=0.7, steady_s=1.0, after_s=0.8)
"""How long a trial looks at each state unless it is told otherwise."""


class Plan(Struct, frozen=True, kw_only=True):
    """Everything a trial needs; all of it built, fetched and unpacked."""

    id: TrialId
    case: Case
    spec: GuestSpec
    workload: Workload
    modules: tuple[Module, ...]
    model: Path | None = None
    """The module of another consistency model than the kernel's, which takes the livepatch."""
    beats: Path | None = None
    """The module with the heartbeats in the kernel; ``None`` where the trial has none."""
    build: Build | None = None
    """What came of building them, where that was a phase of its own."""
    programs: tuple[Path, ...] = ()
    """The case's own, compiled for the guest."""
    workload_files: Path | None = None
    """An archive of what the workload brings along."""
    companions: tuple[Path, ...] = ()
    """Kernel modules of the case's own that are no livepatches."""
    variant: Variant | None = None
    fresh: bool = False
    """Boot anew instead of restoring a snapshot."""
    pace: Pace = USUAL
    counted: int = MOST_COUNTED
    """So many functions' calls are counted, of both versions; a probe costs time on each side."""
    seed: int = 0
    keep_memory: bool = False
    """Whether the guest's memory is dumped when its kernel dies."""

    @property
    def looks(self) -> Pace:
        """How long each state is looked at: as asked, or as long as the case needs."""
        asked, needed = self.pace, self.case.pace
        return Pace(
            baseline_s=max(asked.baseline_s, needed.baseline_s),
            steady_s=max(asked.steady_s, needed.steady_s),
            after_s=max(asked.after_s, needed.after_s),
        )

    @property
    def module_files(self) -> dict[str, Path]:
        """Every module of our own that the guest is given, by the kernel's name for it."""
        others = [*self.companions, *(path for path in (self.model, self.beats) if path)]
        named = {module.name: module.path for module in self.modules}
        return named | {path.stem: path for path in others}

    @property
    def registrar(self) -> Registrar:
        """Who takes the livepatch in the guest."""
        return LIVEPATCH if self.model is None else MODELS

    @property
    def functions(self) -> tuple[PatchedFunction, ...]:
        """Every function that any of the modules patches."""
        return tuple(f for module in self.modules for f in module.inspection.functions)
