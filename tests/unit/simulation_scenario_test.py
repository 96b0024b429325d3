"""Scenarios: what is read, and what is refused in one line."""

import simulation_support as support

# isort: split
import pytest

from lpharness.base.errors import InputError
from lpharness.simulation import draws, fields
from lpharness.simulation.build import build
from lpharness.simulation.durations import nanoseconds, table
from lpharness.simulation.scenario import bundled, decode, load

_WRONG_PROGRAMS = {
    "call first": "needs a syscall",
    "user 1ms\nsyscall\ncall first": "has no end",
    "user 1ms\nend": "nothing is open",
    "user 1ms\nsleep 1ms": "needs a syscall",
    "user 1ms\nsyscall\nuser 1ms\nend": "outside its syscalls",
    "user 1ms\nsyscall\nsyscall\nend\nend": "not in another",
    "maybe 0.5\nuser 1ms\nend": "must take time",
    "maybe 2\nuser 1ms\nend": "from 0 to 1",
    "user 1 ms": "not a duration",
    "user poisson 1ms": "not a duration",
    "fly 1ms": "not a step",
    "user uniform 2ms 1ms": "must not be less",
    "user lognormal 1ms -1": "not from 0 to 5",
    "user exponential": "takes 1 values",
    "user fitted nothing": "no distribution",
    "user 99999s": "too long",
}


@pytest.mark.parametrize("program", _WRONG_PROGRAMS)
def test_a_wrong_program_is_refused_with_its_line(program: str) -> None:
    tasks = f"[[tasks]]\nname='one'\ncount=1\nprogram='''\n{program}\n'''\n"
    with pytest.raises(InputError, match=_WRONG_PROGRAMS[program]) as caught:
        build(support.small(tasks), "hybrid", 1)
    assert "tasks one, line" in caught.value.message


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "missing required field `name`"),
        ("name = 3", "str"),
        ("name = 'x'\npatch = {functions = []}\ntasks = []\nfoo = 1", "unknown field `foo`"),
        ("[[[", "Invalid"),
    ],
)
def test_what_is_no_scenario_is_refused(text: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        decode(text, "mine.toml")


def test_a_scenario_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(InputError, match="No such file") as caught:
        load("nowhere")
    assert "mixed" in str(caught.value.hint)


@pytest.mark.parametrize("name", bundled())
def test_a_bundled_scenario_builds(name: str) -> None:
    scenario = load(name)
    machine, _ = build(scenario, "hybrid", 1)
    assert len(machine.context) > scenario.machine.cpus


def test_a_distribution_has_the_mean_that_was_asked_for() -> None:
    assert table("exponential 10ms", {}).mean() == pytest.approx(1e7, rel=0.01)
    assert table("uniform 1ms 3ms", {}).mean() == pytest.approx(2e6)
    assert table("lognormal 5ms 0.5", {})[512] == pytest.approx(5e6, rel=0.01)
    assert table("fitted it", {"it": ["1ms", "2ms", "9ms"]})[512] == 2_000_000
    assert nanoseconds("1.5us") == 1500


def test_draws_are_spread_evenly_and_differ_by_context() -> None:
    machine, _ = build(support.small(), "hybrid", 1)
    drawn = [draws.draw(machine, 0) for _ in range(4000)]
    assert sum(drawn) / len(drawn) == pytest.approx(draws.RANGE / 2, rel=0.03)
    assert all(1 <= each <= draws.RANGE for each in drawn)
    seeds = machine.context[:, [fields.SEED1, fields.SEED2]].tolist()
    assert len({tuple(pair) for pair in seeds}) == len(seeds)
