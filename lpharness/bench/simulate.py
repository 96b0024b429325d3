"""What a simulation costs: events, and a machine of a million tasks."""

from __future__ import annotations

from msgspec.structs import replace

from lpharness.base.progress import SILENT, Progress
from lpharness.bench.figures import Bench, Figure, host_load, own_memory_mib, stopwatch
from lpharness.simulation.compiled import COMPILES
from lpharness.simulation.scenario import Scenario, load
from lpharness.simulation.simulate import simulate

_HUGE_MODELS = ("kpatch", "kgraft", "hybrid")


def measure(repeat: int, progress: Progress = SILENT) -> Bench:
    """Measure on one core; that the compiler has been at work before is seen to first."""
    load_before = host_load()
    mixed, huge = load("mixed"), load("huge")
    with progress.step("compiling, once for all"):
        simulate(replace(mixed, settle="1ms", limit="1ms"), "hybrid")
    with progress.step("events"):
        million = [_seconds_per_million(mixed, seed) for seed in range(1, repeat + 1)]
    figures = [Figure(name="1,000,000 events", unit="s", samples=million, bound=1.0)]
    for model in _HUGE_MODELS:
        with progress.step(f"a million tasks, {model}"), stopwatch() as watch:
            simulate(huge, model)
        figures.append(
            Figure(
                name=f"1,000,000 tasks on 1,024 CPUs, {model}",
                unit="s",
                samples=[watch.seconds],
                bound=60.0,
            )
        )
    figures.append(
        Figure(name="its memory at its peak", unit="MiB", samples=[own_memory_mib()], bound=4096.0)
    )
    engine = "compiled" if COMPILES else "interpreted"
    return Bench(kernel=f"simulated, {engine}", figures=figures, load=(load_before, host_load()))


def _seconds_per_million(scenario: Scenario, seed: int) -> float:
    """Return the time of a million events, building the machine and reading it out included."""
    with stopwatch() as watch:
        outcome = simulate(scenario, "kgraft", seed)
    return watch.seconds * 1e6 / outcome.events
