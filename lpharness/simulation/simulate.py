"""One transition of one scenario under one model, from its seed."""

from __future__ import annotations

from lpharness.simulation.build import build
from lpharness.simulation.durations import nanoseconds
from lpharness.simulation.engine import run
from lpharness.simulation.outcome import Outcome, outcome
from lpharness.simulation.scenario import Scenario


def simulate(scenario: Scenario, model: str, seed: int = 1) -> Outcome:
    """Return what comes of a scenario; the same always, for the same seed.

    Raises:
        InputError: the scenario describes nothing that can be simulated.
    """
    machine, assembly = build(scenario, model, seed)
    until = nanoseconds(scenario.settle) + nanoseconds(scenario.limit)
    run(machine, until)
    return outcome(machine, assembly, scenario, model, seed, until)
