"""Fit, simulate, and set beside what was measured."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from lpharness.comparison.courses import Steps, courses, steps
from lpharness.comparison.crowds import Point
from lpharness.comparison.held.costs import STOLEN, Costed, with_costs
from lpharness.comparison.held.crowds import plan_crowds, simulated_points
from lpharness.comparison.held.host import share_before, theft_before
from lpharness.comparison.held.reasons import reasons
from lpharness.comparison.held.rows import Row, side
from lpharness.comparison.held.told import Sample, told
from lpharness.comparison.held.trial import Told, Trial
from lpharness.comparison.measured import Crossing
from lpharness.simulation.fit import Fitted, fit
from lpharness.simulation.sweep import Job, Swept, carry_out


class Held(Struct, frozen=True, kw_only=True):
    """The whole table."""

    rows: tuple[Row, ...]
    simulations: int
    """Of each trial."""
    seed: int
    """Of the first of them."""
    accelerators: tuple[str, ...]
    crowds: tuple[Point, ...] = ()
    """Cost against number of tasks, simulated, where several crowds were measured."""
    schema: int = 1


def hold(
    trials: Sequence[Trial],
    simulations: int,
    seed: int = 1,
    processes: int = 1,
    simulated: Told = lambda *_: None,
) -> Held:
    """Hold trials against simulations of the same.

    Args:
        trials: of any number of runs, put together, as `read_trials` returns them.
        simulations: how many of each trial, with the seeds from `seed` on.
        seed: of the first.
        processes: how many simulate.
        simulated: is told of the simulations done.

    Raises:
        InputError: a recording tells of no calls, or is broken.
    """
    samples = told(trials)
    fitted = [_fitted(trial) for trial in trials]
    costed = [
        with_costs(its.scenario, trial, samples) for its, trial in zip(fitted, trials, strict=True)
    ]
    jobs = [
        Job(each.scenario, trial.name.model, number)
        for each, trial in zip(costed, trials, strict=True)
        for number in range(seed, seed + simulations)
    ]
    planned = plan_crowds(trials, costed, seed)
    found = []
    for each in carry_out([*jobs, *(job for _, _, job in planned)], processes):
        found.append(each)
        simulated(len(found), len(jobs) + len(planned))
    crowds = simulated_points(planned, [each.outcome for each in found[len(jobs) :]])
    found = found[: len(jobs)]
    parts = _parts(found, simulations)
    whole = list(zip(trials, fitted, costed, parts, strict=True))
    rows = [
        _row(list(group), samples)
        for _, group in itertools.groupby(whole, key=lambda it: it[0].name)
    ]
    accelerators = tuple(sorted({trial.measured.accelerator for trial in trials}))
    return Held(
        rows=tuple(rows),
        simulations=simulations,
        seed=seed,
        accelerators=accelerators,
        crowds=tuple(crowds),
    )


def _fitted(trial: Trial) -> Fitted:
    stolen = trial.name.model in STOLEN and theft_before(trial.recording) is not None
    return fit(trial.folder, (share_before(trial.recording) or 1.0) if stolen else 1.0)


def _parts(found: Sequence[Swept], size: int) -> list[Sequence[Swept]]:
    return [found[at : at + size] for at in range(0, len(found), size)]


def _row(
    group: Sequence[tuple[Trial, Fitted, Costed, Sequence[Swept]]], samples: Sequence[Sample]
) -> Row:
    trials = [trial for trial, _, _, _ in group]
    crossings = [c for c in (trial.crossing("patching") for trial in trials) if c is not None]
    outcomes = [each.outcome for _, _, _, part in group for each in part]
    first, its, costed, _ = group[0]
    row = Row(
        name=first.name,
        measured=side(
            [c.seconds if c.outcome == "completed" else None for c in crossings],
            [c.looks for c in crossings],
        ),
        simulated=side([o.completed_s for o in outcomes], [o.tries for o in outcomes]),
        costs=costed.costs,
        missing=costed.missing,
        assumed=its.assumed,
    )
    own = [sample for sample in samples if sample.name == first.name]
    return replace(
        row,
        reasons=reasons(row, own),
        courses=courses(
            [found for found in map(_course, crossings) if found], [o.curve for o in outcomes]
        ),
    )


def _course(crossing: Crossing) -> Steps:
    """Return how a measured transition went; nothing where nobody tells of all tasks."""
    if crossing.outcome == "completed":
        return steps(crossing)
    return () if crossing.moves else ((0.0, 0.0),)
