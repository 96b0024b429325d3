"""Compiled and interpreted, the simulation gives the same figures, bit by bit."""

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest
import simulation_support as support

# isort: split
import msgspec

from lpharness.simulation import codes
from lpharness.simulation.compiled import COMPILES, INTERPRETED_BY
from lpharness.simulation.outcome import Outcome
from lpharness.simulation.simulate import simulate

_COMPILED = """
import sys
import msgspec
from lpharness.simulation import compiled
from lpharness.simulation.codes import MODELS
from lpharness.simulation.scenario import Scenario
from lpharness.simulation.simulate import simulate

assert compiled.COMPILES
scenario = msgspec.json.decode(sys.stdin.read(), type=Scenario)
found = [simulate(scenario, model, seed) for model in MODELS for seed in (1, 2)]
sys.stdout.buffer.write(msgspec.json.encode(found))
"""


@pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed")
def test_compiled_and_interpreted_agree() -> None:
    assert not COMPILES
    scenario = support.small()
    environment = {key: value for key, value in os.environ.items() if key != INTERPRETED_BY}
    compiled = subprocess.run(
        [sys.executable, "-c", _COMPILED],
        input=msgspec.json.encode(scenario),
        env=environment,
        capture_output=True,
        check=True,
    )
    interpreted = [simulate(scenario, model, seed) for model in codes.MODELS for seed in (1, 2)]
    assert msgspec.json.decode(compiled.stdout, type=list[Outcome]) == interpreted
