"""Fit, simulate, and set beside what was measured."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from lpharness.comparison.held.costs import STOLEN, Costed, with_costs
from lpharness.comparison.held.host import share_before, theft_before
from lpharness.comparison.held.reasons import reasons
from lpharness.comparison.held.rows import Row, side
from lpharness.comparison.held.told import Sample, told
from lpharness.comparison.held.trial import Told, Trial, read_trials
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
    schema: int = 1


def hold(
    folders: Sequence[Path],
    simulations: int,
    seed: int = 1,
    processes: int = 1,
    read: Told = lambda *_: None,
    simulated: Told = lambda *_: None,
) -> Held:
    """Hold the trials of runs against simulations of the same.

    Args:
        folders: runs, as `lpharness models compare` writes them; their trials are put together.
        simulations: how many of each trial, with the seeds from `seed` on.
        seed: of the first.
        processes: how many simulate.
        read: is told of the trials read.
        simulated: is told of the simulations done.

    Raises:
        InputError: there is no trial to hold anything against.
    """
    trials = read_trials(folders, read)
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
    found = []
    for each in carry_out(jobs, processes):
        found.append(each)
        simulated(len(found), len(jobs))
    parts = _parts(found, simulations)
    whole = list(zip(trials, fitted, costed, parts, strict=True))
    rows = [
        _row(list(group), samples)
        for _, group in itertools.groupby(whole, key=lambda it: it[0].name)
    ]
    accelerators = tuple(sorted({trial.measured.accelerator for trial in trials}))
    return Held(rows=tuple(rows), simulations=simulations, seed=seed, accelerators=accelerators)


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
    return Row(
        name=row.name,
        measured=row.measured,
        simulated=row.simulated,
        costs=row.costs,
        missing=row.missing,
        assumed=row.assumed,
        reasons=reasons(row, own),
    )
