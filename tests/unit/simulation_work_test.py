"""What a model's own work costs, and what happens to tasks meanwhile."""

import simulation_support  # noqa: F401  (interprets)

# isort: split
import pytest
from msgspec.structs import replace

from lpharness.simulation.scenario import Costs, Kernel, Machine, Patch, Scenario, Tasks
from lpharness.simulation.simulate import simulate

_SLEEPERS = Tasks(name="sleepers", count=4, program="user 1ms\nsyscall\nrun 1ms\nsleep 1000s\nend")
_BUSY = Tasks(name="busy", count=2, program="user 1ms\nsyscall\nrun 1ms\nend")


def _scenario(*tasks: Tasks, cpus: int = 2, **kernel: object) -> Scenario:
    return Scenario(
        name="work",
        machine=Machine(cpus=cpus, kernel=Kernel(**kernel)),  # type: ignore[arg-type]
        patch=Patch(functions=["f"]),
        tasks=list(tasks),
        settle="100ms",
        limit="9s",
        linger="10ms",
    )


def _with(scenario: Scenario, **costs: str) -> Scenario:
    machine = replace(scenario.machine, costs=replace(Costs(), **costs))
    return replace(scenario, machine=machine)


@pytest.mark.parametrize(("cpus", "tries_again"), [(1, False), (2, True)])
def test_an_idle_task_that_runs_makes_a_try_fail(cpus: int, tries_again: bool) -> None:
    took = simulate(_scenario(_SLEEPERS, cpus=cpus), "hybrid").completed_s
    assert took is not None
    assert (took >= 0.75) is tries_again


@pytest.mark.parametrize(("walk", "tries_again"), [("0us", True), ("2ms", False)])
def test_who_moves_while_the_kernel_looks_at_others_is_not_in_the_way(
    walk: str, tries_again: bool
) -> None:
    busy = replace(_BUSY, count=2)
    scenario = _with(_scenario(_SLEEPERS, busy), walk=walk)
    took = simulate(scenario, "hybrid").completed_s
    assert took is not None
    assert (took >= 0.75) is tries_again


def test_nobody_moves_before_all_are_marked() -> None:
    for model in ("hybrid", "kgraft"):
        scenario = _with(_scenario(_BUSY, _SLEEPERS, kgraft_wakes=True), mark="50ms")
        outcome = simulate(scenario, model)
        assert outcome.outcome == "completed"
        assert outcome.moved["all"].least >= 0.05


@pytest.mark.parametrize(("phase", "took"), [("0s", 1.0), ("900ms", 1.1), ("300ms", 1.7)])
def test_the_kernels_clock_says_when_it_tries_again(phase: str, took: float) -> None:
    outcome = simulate(_scenario(_SLEEPERS, clock_phase=phase), "hybrid")
    assert outcome.completed_s == pytest.approx(took)


@pytest.mark.parametrize(("wakes", "outcome"), [(False, "unfinished"), (True, "completed")])
def test_kgraft_may_wake_who_sleeps_in_a_system_call(wakes: bool, outcome: str) -> None:
    scenario = _with(_scenario(_SLEEPERS, kgraft_wakes=wakes), unmark="300ms")
    found = simulate(scenario, "kgraft")
    assert found.outcome == outcome
    assert found.completed_s == (pytest.approx(4.3) if wakes else None)


@pytest.mark.parametrize("model", ["ksplice", "kpatch"])
def test_a_stop_has_a_way_there_and_a_way_back(model: str) -> None:
    scenario = _with(_scenario(_SLEEPERS), gather="20ms", resume="300ms", ipi="0us")
    found = simulate(scenario, model)
    assert found.completed_s == pytest.approx(0.32, abs=0.001)
    assert found.stops[0].gather_s == pytest.approx(0.02, abs=0.001)
    assert found.longest_stop_s < 0.001


def test_tasks_may_all_begin_at_one_moment() -> None:
    sleeper = Tasks(
        name="sleeper",
        count=1,
        program="user 1ms\nsyscall\ncall f\nblock 1s\nend\nend",
        start="50ms",
    )
    for seed in (1, 2, 3):
        found = simulate(_scenario(sleeper, cpus=1, clock_phase="0s"), "hybrid", seed)
        assert found.moved["sleeper"].least == pytest.approx(0.951)
