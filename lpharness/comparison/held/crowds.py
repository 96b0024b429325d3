"""Cost against number of tasks, simulated: the smallest crowd's scenario, more tasks asleep."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from msgspec.structs import replace

from lpharness.comparison.crowds import Point, is_crowd
from lpharness.comparison.held.costs import Costed
from lpharness.comparison.held.trial import Trial
from lpharness.comparison.summary import spread
from lpharness.simulation.outcome import Outcome
from lpharness.simulation.scenario import Scenario, Tasks
from lpharness.simulation.sweep import Job

COUNTS = (30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000)
"""Tasks of the whole machine; those that the smallest crowd has already are left out."""
SEEDS = 3
_ASLEEP = "user 1us\nsyscall\nrun 1us\nsleep 1000s\nend"

Planned = tuple[Trial, int, Job]
"""Of which trial, with how many tasks, and the simulation."""


def plan_crowds(trials: Sequence[Trial], costed: Sequence[Costed], seed: int) -> list[Planned]:
    """Return the simulations of each case, kernel and model that was tried in several crowds."""
    known = [
        (trial, each)
        for trial, each in zip(trials, costed, strict=True)
        if is_crowd(trial.name.workload)
    ]
    kept: dict[tuple[str, str, str], dict[str, tuple[Trial, Costed]]] = {}
    sizes: dict[tuple[str, str, str], int] = {}
    for trial, each in known:
        key = (trial.name.case, trial.name.kernel, trial.name.model)
        kept.setdefault(key, {}).setdefault(trial.name.workload, (trial, each))
        sizes[trial.name[:3]] = max(sizes.get(trial.name[:3], 0), trial.measured.tasks or 0)
    planned: list[Planned] = []
    for crowds in kept.values():
        if len(crowds) > 1:
            trial, each = min(crowds.values(), key=lambda it: sizes[it[0].name[:3]])
            # Not every model counts the tasks: the crowd is as large under another.
            has = max(sizes[trial.name[:3]], _tasks(each.scenario))
            planned += _of(trial, each.scenario, has, seed)
    return planned


def _of(trial: Trial, scenario: Scenario, has: int, seed: int) -> list[Planned]:
    return [
        (trial, count, Job(_with(scenario, count), trial.name.model, number))
        for count in (has, *(count for count in COUNTS if count > has))
        for number in range(seed, seed + SEEDS)
    ]


def _with(scenario: Scenario, count: int) -> Scenario:
    """Return a scenario with so many tasks."""
    more = count - _tasks(scenario)
    if more <= 0:
        return scenario
    crowd = Tasks(name="crowd", count=more, program=_ASLEEP)
    return replace(scenario, tasks=[*scenario.tasks, crowd])


def _tasks(scenario: Scenario) -> int:
    return sum(group.count for group in scenario.tasks)


def simulated_points(planned: Sequence[Planned], outcomes: Sequence[Outcome]) -> list[Point]:
    """Return a point a number of tasks."""
    pairs = zip(planned, outcomes, strict=True)
    groups = itertools.groupby(pairs, key=lambda pair: (pair[0][0].name, pair[0][1]))
    return [
        _point(name.case, name.kernel, name.model, tasks, [outcome for _, outcome in group])
        for (name, tasks), group in groups
    ]


def _point(case: str, kernel: str, model: str, tasks: int, found: Sequence[Outcome]) -> Point:
    over = [outcome.completed_s for outcome in found if outcome.completed_s is not None]
    return Point(
        case=case,
        kernel=kernel,
        model=model,
        side="simulated",
        tasks=tasks,
        transitions=len(found),
        failed=len(found) - len(over),
        seconds=spread(over),
        stopped=spread(stop.check_s for outcome in found for stop in outcome.stops),
    )
