"""What each model promises holds for every program and schedule; a broken rule breaks it."""

import simulation_support as support

# isort: split
import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from msgspec.structs import replace

from lpharness.simulation import codes, fields
from lpharness.simulation.models import hybrid, kgraft, kpatch, ksplice, rules
from lpharness.simulation.outcome import Outcome
from lpharness.simulation.scenario import (
    Interrupts,
    Kernel,
    Machine,
    Patch,
    Scenario,
    Steal,
    Tasks,
)
from lpharness.simulation.simulate import simulate

_DURATIONS = st.sampled_from(["3ms", "uniform 1ms 40ms", "exponential 25ms"])
_FUNCTIONS = st.sampled_from(["first", "second", "other"])
_WORK = st.sampled_from(["", "2ms", "exponential 30ms"])
_MODELS = st.sampled_from(codes.MODELS)
_QUICK = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def _timed(words: list[str]) -> st.SearchStrategy[list[str]]:
    return st.tuples(st.sampled_from(words), _DURATIONS).map(lambda pair: [" ".join(pair)])


def _body(words: list[str]) -> st.SearchStrategy[list[str]]:
    """Lines that a kernel thread, an interrupt or a system call may run."""
    leaf = _timed(words) | st.sampled_from([["resched"], ["put token"], ["take token"]])
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.tuples(_FUNCTIONS, inner).map(lambda it: [f"call {it[0]}", *it[1], "end"]),
            inner.map(lambda lines: ["maybe 0.5", *lines, "end"]),
            st.lists(inner, min_size=1, max_size=3).map(
                lambda parts: [line for part in parts for line in part]
            ),
        ),
        max_leaves=8,
    )


_SLEEPY = ["run", "sleep", "block"]
_USER = st.lists(_body(_SLEEPY), min_size=1, max_size=2).map(
    lambda calls: "\n".join(
        line for call in calls for line in ("user 2ms", "syscall", *call, "end")
    )
)
_KTHREAD = _body(_SLEEPY).map(lambda lines: "\n".join(["safe", "sleep 10ms", *lines]))
_IRQ = _body(["run"]).map(lambda lines: "\n".join(["run 1ms", *lines]).replace("resched", ""))


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """Return a small machine with random programs."""
    groups = [
        Tasks(name=f"user{number}", count=draw(st.integers(1, 3)), program=draw(_USER))
        for number in range(draw(st.integers(1, 2)))
    ]
    if draw(st.booleans()):
        groups.append(Tasks(name="kthread", kind="kthread", count=1, program=draw(_KTHREAD)))
    interrupts = Interrupts(every="uniform 60ms 200ms", program=draw(_IRQ))
    steal = Steal(every="exponential 300ms", takes="uniform 1ms 60ms")
    return Scenario(
        name="random",
        machine=Machine(
            cpus=draw(st.integers(1, 3)),
            kernel=Kernel(
                tick="25ms",
                slice="25ms",
                preemption=draw(st.sampled_from(["voluntary", "full"])),
                resched_switches=draw(st.booleans()),
                kgraft_wakes=draw(st.booleans()),
            ),
            interrupts=draw(st.none() | st.just(interrupts)),
            steal=draw(st.none() | st.just(steal)),
            costs=replace(
                support.small().machine.costs,
                gather=draw(_WORK),
                resume=draw(_WORK),
                mark=draw(_WORK),
                unmark=draw(_WORK),
                walk=draw(st.sampled_from(["0us", "100us", "4ms"])),
            ),
        ),
        patch=Patch(functions=draw(st.sampled_from([["first"], ["first", "second"]]))),
        tasks=groups,
        settle="100ms",
        limit="9s",
    )


@given(scenarios(), _MODELS, st.integers(0, 1000))
@_QUICK
def test_a_model_keeps_its_promise(scenario: Scenario, model: str, seed: int) -> None:
    assert support.broken_promises(simulate(scenario, model, seed)) == []


@given(scenarios(), _MODELS, st.integers(0, 1000))
@_QUICK
def test_unpatching_is_the_mirror_of_patching(scenario: Scenario, model: str, seed: int) -> None:
    back = replace(scenario, patch=replace(scenario.patch, direction="unpatching"))
    assert _story(simulate(back, model, seed)) == _story(simulate(scenario, model, seed))


@given(scenarios(), st.integers(0, 1000), st.integers(1, 2500))
@_QUICK
def test_a_reversed_transition_keeps_the_hybrids_promise(
    scenario: Scenario, seed: int, after_ms: int
) -> None:
    patch = replace(scenario.patch, reverse_after=f"{after_ms}ms")
    outcome = simulate(replace(scenario, patch=patch), "hybrid", seed)
    assert outcome.meetings[codes.MEETINGS[codes.STACK]] == 0
    assert outcome.meetings[codes.MEETINGS[codes.IN_INTERRUPT]] == 0
    assert outcome.outcome == "reversed" or not outcome.not_moved or outcome.blockers


def test_a_reversal_brings_everybody_back() -> None:
    scenario = support.small()
    patch = replace(scenario.patch, reverse_after="5ms")
    outcome = simulate(replace(scenario, patch=patch), "hybrid", 1)
    assert (outcome.outcome, outcome.not_moved) == ("reversed", 0)


@pytest.mark.parametrize("model", codes.MODELS)
def test_the_same_seed_gives_the_same_figures(model: str) -> None:
    assert simulate(support.small(), model, 3) == simulate(support.small(), model, 3)


def test_immediate_mixes_wherever_it_may() -> None:
    outcome = simulate(support.small(), "immediate", 1)
    assert outcome.outcome == "completed"
    for place in (codes.STACK, codes.IN_SYSCALL, codes.BETWEEN, codes.BOTH_ALIVE):
        assert sum(
            simulate(support.small(), "immediate", seed).meetings[codes.MEETINGS[place]]
            for seed in range(8)
        )


@pytest.mark.parametrize("model", ["ksplice", "kpatch"])
def test_a_function_always_on_a_stack_makes_a_stopping_model_give_up(model: str) -> None:
    outcome = simulate(support.small(support.BUSY + support.STUCK), model, 1)
    assert (outcome.outcome, outcome.tries) == ("failed", 5)
    assert [stop.in_the_way > 0 for stop in outcome.stops] == [True] * 5


@pytest.mark.parametrize("model", ["kgraft", "hybrid"])
def test_a_sleeper_keeps_a_model_that_goes_by_tasks_from_ending(model: str) -> None:
    outcome = simulate(support.small(support.STUCK), model, 1)
    assert (outcome.outcome, outcome.not_moved) == ("unfinished", 1)
    (blocker,) = outcome.blockers
    assert (blocker.group, blocker.stack) == ("stuck", ("first (old)",))


def test_kgraft_moves_between_threads_and_so_mixes_there() -> None:
    place = codes.MEETINGS[codes.BOTH_ALIVE]
    assert simulate(support.small(), "kgraft", 1).meetings[place] > 0


def _story(outcome: Outcome) -> Outcome:
    """Return an outcome without the names of versions: those are swapped."""
    return replace(
        outcome,
        blockers=[
            replace(who, stack=tuple(name.split(" ")[0] for name in who.stack))
            for who in outcome.blockers
        ],
    )


# --- rules broken on purpose


def _yes(*_: object) -> bool:
    return True


def _no(*_: object) -> bool:
    return False


def _finds_somebody(*_: object) -> int:
    return 1


_MUTATIONS = {
    "hybrid does not look at stacks": ("hybrid", hybrid, "leaving_on_stack", _no),
    "hybrid forgets whom an interrupt interrupts": (
        "hybrid",
        rules,
        "version_called",
        lambda m, function, context, under: int(m.context[context, fields.VERSION]),  # noqa: ARG005
    ),
    "kgraft moves tasks in the kernel at once": ("kgraft", kgraft, "needs_lazy_migration", _no),
    "kgraft takes the new code for everybody": (
        "kgraft",
        kgraft,
        "version_called",
        lambda m, _: int(m.g[codes.OUTCOME] == codes.ONGOING),
    ),
    "kpatch does not look at stacks": ("kpatch", kpatch, "in_the_way", _no),
    "ksplice does not look at stacks": ("ksplice", ksplice, "in_the_way", _no),
    "kpatch says nobody was in the way": ("kpatch", kpatch, "check", _finds_somebody),
    "kpatch switches before it stops": (
        "kpatch",
        kpatch,
        "version_called",
        lambda m: int(m.g[codes.OUTCOME] == codes.ONGOING),
    ),
}


@pytest.mark.parametrize("name", _MUTATIONS)
def test_a_broken_rule_breaks_a_promise(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, module, rule, instead = _MUTATIONS[name]
    assert not any(_broken(model))
    monkeypatch.setattr(module, rule, instead)
    assert any(_broken(model))


def _broken(model: str) -> list[list[str]]:
    return [support.broken_promises(simulate(support.small(), model, s)) for s in range(6)]


def test_a_rule_that_knows_one_direction_only_is_no_mirror(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hybrid, "leaving_on_stack", _old_on_stack)
    scenario = support.small()
    back = replace(scenario, patch=replace(scenario.patch, direction="unpatching"))
    assert any(
        _story(simulate(back, "hybrid", s)) != _story(simulate(scenario, "hybrid", s))
        for s in range(6)
    )


def _old_on_stack(m: object, context: int) -> bool:
    rows = m.context[context, fields.FRAMES :]  # type: ignore[attr-defined]
    depth = m.context[context, fields.DEPTH]  # type: ignore[attr-defined]
    return any(
        m.function[frame >> 1, fields.IN_PATCH] and not frame & 1  # type: ignore[attr-defined]
        for frame in rows[:depth]
    )
