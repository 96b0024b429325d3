"""Many simulations: models, seeds and values of one key, in parallel processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from multiprocessing import get_context

from msgspec import Struct
from msgspec.structs import replace

from lpharness.base.errors import InputError
from lpharness.simulation.outcome import Outcome
from lpharness.simulation.scenario import Scenario
from lpharness.simulation.simulate import simulate

_HINT = "cpus=1,2,4 or tasks=10,100 (all groups together) or tasks.NAME=1,2,4"


class Job(Struct, frozen=True):
    """One simulation, and what was swept to get it."""

    scenario: Scenario
    model: str
    seed: int
    swept: str = ""
    """``cpus=4``; empty where nothing is swept."""


class Swept(Struct, frozen=True):
    """What came of a job."""

    swept: str
    outcome: Outcome


def plan(scenario: Scenario, models: Sequence[str], seeds: Sequence[int], sweep: str) -> list[Job]:
    """Return the simulations of every model, value and seed.

    Raises:
        InputError: the sweep cannot be read.
    """
    return [
        Job(varied, model, seed, swept)
        for (swept, varied), model, seed in product(_varied(scenario, sweep), models, seeds)
    ]


def _varied(scenario: Scenario, sweep: str) -> list[tuple[str, Scenario]]:
    if not sweep:
        return [("", scenario)]
    key, _, values = sweep.partition("=")
    try:
        numbers = [int(value) for value in values.split(",")]
    except ValueError:
        raise InputError(f"--sweep {sweep}: not whole numbers after =", hint=_HINT) from None
    return [(f"{key}={number}", _vary(scenario, key, number)) for number in numbers]


def _vary(scenario: Scenario, key: str, number: int) -> Scenario:
    if key == "cpus":
        return replace(scenario, machine=replace(scenario.machine, cpus=number))
    names = [group.name for group in scenario.tasks]
    if key == "tasks":
        total = sum(group.count for group in scenario.tasks)
        counts = [max(1, round(group.count * number / max(1, total))) for group in scenario.tasks]
    elif key.startswith("tasks.") and key[6:] in names:
        counts = [number if g.name == key[6:] else g.count for g in scenario.tasks]
    else:
        raise InputError(f"--sweep: no key {key!r}", hint=f"{_HINT}; NAME: {', '.join(names)}")
    groups = [replace(g, count=count) for g, count in zip(scenario.tasks, counts, strict=True)]
    return replace(scenario, tasks=groups)


def carry_out(jobs: Sequence[Job], processes: int) -> Iterator[Swept]:
    """Yield what comes of each job, in their order."""
    if processes <= 1 or len(jobs) == 1:
        yield from map(_one, jobs)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_one, jobs)


def _one(job: Job) -> Swept:
    return Swept(job.swept, simulate(job.scenario, job.model, job.seed))
