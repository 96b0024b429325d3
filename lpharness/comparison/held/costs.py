"""The costs of a model's own work, for a trial, from *other* transitions than the one compared.

In this order, and never mixed: patching by another model under the same workload; patching by any
model under other workloads; unpatching. Of the row that a figure is held against, no patching at
all. How long work took is scaled by what the host gave the guest then, and gives it here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from msgspec import Struct
from msgspec.structs import replace

from lpharness.checks.transitions import due_transitions
from lpharness.comparison.held.host import share_before, theft_before
from lpharness.comparison.held.told import Sample, What
from lpharness.comparison.held.trial import Name, Trial
from lpharness.results import text
from lpharness.simulation.scenario import Machine, Scenario, Steal, Tasks

_MOST = 60.0
"""No cost may be longer: seconds."""
_PHASES_APART = 0.15


class Cost(Struct, frozen=True):
    """A cost that a scenario was given."""

    what: What
    values: tuple[float, ...]
    """Seconds, scaled, least first; of ``asleep`` tasks."""
    source: str
    """Whose transitions told it."""

    @property
    def middle(self) -> float:
        """Their median."""
        return median(self.values)

    @property
    def shown(self) -> str:
        """Their median for a person."""
        if self.what == "asleep":
            return f"{self.middle:.0f} tasks"
        return text.seconds(self.middle)


class Costed(Struct, frozen=True):
    """A scenario with the costs of its model."""

    scenario: Scenario
    costs: tuple[Cost, ...]
    missing: tuple[What, ...]
    """What no other transition told."""


STOLEN = frozenset({"kgraft", "hybrid"})
"""Whose tasks must run to move; what the others wait for has the host's share in its cost."""
_OF: dict[str, tuple[What, ...]] = {
    "immediate": ("redirect",),
    "ksplice": ("gather", "resume", "check"),
    "kpatch": ("gather", "resume", "check"),
    "kgraft": ("mark", "unmark", "asleep"),
    "hybrid": ("mark", "walk", "phase"),
}


def with_costs(scenario: Scenario, trial: Trial, samples: Sequence[Sample]) -> Costed:
    """Return a trial's scenario with the costs of its model."""
    here = share_before(trial.recording)
    if trial.name.model in STOLEN:
        scenario = _with_steal(scenario, trial, here)
    known, missing = [], []
    for what in _OF[trial.name.model]:
        stolen = what == "walk" and scenario.machine.steal is not None
        cost = _cost(what, trial.name, 1.0 if stolen else here, samples)
        if cost is None:
            missing.append(what)
        else:
            known.append(cost)
            scenario = _given(scenario, trial, cost)
    if trial.name.model == "kgraft":  # lph_models wakes, unless told not to
        kernel = replace(scenario.machine.kernel, kgraft_wakes=True)
        scenario = _machine(scenario, replace(scenario.machine, kernel=kernel))
    return Costed(scenario, tuple(known), tuple(missing))


def _with_steal(scenario: Scenario, trial: Trial, share: float | None) -> Scenario:
    """Let the host take the CPUs away as it did before the patch."""
    length = theft_before(trial.recording)
    if share is None or length is None:
        return scenario
    between = length * share / (1 - share)
    steal = Steal(every=f"exponential {_ns(between)}", takes=f"exponential {_ns(length)}")
    return _machine(scenario, replace(scenario.machine, steal=steal))


def _cost(what: What, name: Name, here: float | None, samples: Sequence[Sample]) -> Cost | None:
    allowed = [
        s for s in samples
        if s.what == what
        and s.name.kernel == name.kernel
        and not (s.name == name and s.direction == "patching")
        and (what not in ("check", "mark") or s.name.model == name.model)
    ]  # fmt: skip
    patching = [sample for sample in allowed if sample.direction == "patching"]
    tiers = (
        ("the same load, another model", [s for s in patching if _same(s, name)]),
        ("other loads", patching),
        ("unpatching", allowed),
    )
    for source, chosen in tiers:
        if chosen:
            values = sorted(_scaled(sample, here) for sample in chosen)
            return Cost(what, tuple(values), f"{source}, {len(values)}")
    return None


def _same(sample: Sample, name: Name) -> bool:
    return (sample.name.case, sample.name.workload) == (name.case, name.workload)


def _scaled(sample: Sample, here: float | None) -> float:
    if sample.what in ("phase", "asleep") or sample.share is None or here is None:
        return sample.value
    return min(_MOST, sample.value * sample.share / here)


def _given(scenario: Scenario, trial: Trial, cost: Cost) -> Scenario:
    machine = scenario.machine
    if cost.what == "asleep":
        return _asleep(scenario, round(cost.middle))
    if cost.what == "phase":
        return _phase(scenario, trial, cost)
    name = {"check": "stack_word_scan" if trial.name.model == "ksplice" else "stack_trace"}
    if cost.what in ("redirect", "check", "walk"):
        costs = replace(machine.costs, **{name.get(cost.what, cost.what): _ns(cost.middle)})
        return _machine(scenario, replace(machine, costs=costs))
    spread = [_ns(value) for value in (cost.values if len(cost.values) > 1 else cost.values * 2)]
    costs = replace(machine.costs, **{cost.what: f"fitted {cost.what}"})
    named = {**scenario.distributions, cost.what: spread}
    return _machine(replace(scenario, distributions=named), replace(machine, costs=costs))


def _machine(scenario: Scenario, machine: Machine) -> Scenario:
    return replace(scenario, machine=machine)


def _asleep(scenario: Scenario, count: int) -> Scenario:
    """Let so many of the others sleep for longer than anybody waits."""
    groups = list(scenario.tasks)
    for at, group in enumerate(groups):
        if group.name == "others" and group.count > count > 0:
            groups[at] = replace(group, count=group.count - count)
            program = "user 1ms\nsyscall\nrun 5us\nsleep 1000s\nend"
            groups.append(Tasks(name="asleep", count=count, program=program))
    return replace(scenario, tasks=groups)


def _phase(scenario: Scenario, trial: Trial, cost: Cost) -> Scenario:
    """Set the kernel's clock, if those who tell of it agree: it is a circle of one second."""
    turns = [value * 2 * math.pi for value in cost.values]
    middle = math.atan2(sum(map(math.sin, turns)), sum(map(math.cos, turns))) / 2 / math.pi % 1.0
    apart = [abs((value - middle + 0.5) % 1.0 - 0.5) for value in cost.values]
    began = _began_ns(trial)
    if max(apart) > _PHASES_APART or began is None:
        return scenario
    phase = (began - round(middle * 1e9)) % 1_000_000_000
    kernel = replace(scenario.machine.kernel, clock_phase=f"{phase}ns")
    return _machine(scenario, replace(scenario.machine, kernel=kernel))


def _began_ns(trial: Trial) -> int | None:
    for transition in due_transitions(trial.recording):
        if transition.direction == "patching" and transition.began is not None:
            return transition.began[1].guest_ns
    return None


def _ns(seconds: float) -> str:
    return f"{max(1, round(seconds * 1e9))}ns"
