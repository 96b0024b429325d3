"""Builds the simulated machine of a scenario."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lpharness.base.errors import InputError
from lpharness.simulation import codes, draws, fields
from lpharness.simulation.assemble import Assembly
from lpharness.simulation.durations import QUANTILES, nanoseconds
from lpharness.simulation.events import SHIFT
from lpharness.simulation.machine import MOST_TRIES, Array, Machine
from lpharness.simulation.scenario import Scenario

_MOST_TASKS, _MOST_CPUS, _DEEPEST = 10_000_000, 8192, 120


def build(scenario: Scenario, model: str, seed: int) -> tuple[Machine, Assembly]:
    """Return the machine before its first event, and its programs for their names.

    Raises:
        InputError: the scenario describes no machine.
    """
    tasks = sum(group.count for group in scenario.tasks)
    _reject(scenario, tasks)
    assembly = Assembly(distributions=scenario.distributions)
    for name in scenario.patch.functions:
        assembly.function(name)
    entries = [
        assembly.add(group.program, group.kind, f"tasks {group.name}") for group in scenario.tasks
    ]
    g = np.zeros(codes.SCALARS, dtype=np.int64)
    _set_model(g, scenario, model, tasks, seed)
    _set_costs(g, scenario, model, assembly)
    _set_disturbers(g, scenario, assembly)
    machine = _arrays(g, scenario, assembly, entries)
    _seed(machine, seed)
    _first_events(machine, scenario, seed)
    return machine, assembly


def _reject(scenario: Scenario, tasks: int) -> None:
    names = [group.name for group in scenario.tasks]
    complaint = (
        f"cpus must be 1 to {_MOST_CPUS}" if not 1 <= scenario.machine.cpus <= _MOST_CPUS
        else f"there must be 1 to {_MOST_TASKS} tasks" if not 1 <= tasks <= _MOST_TASKS
        else "a count must not be negative" if any(g.count < 0 for g in scenario.tasks)
        else "two groups of tasks have one name" if len(set(names)) < len(names)
        else "the patch must name a function" if not scenario.patch.functions
        else ""
    )  # fmt: skip
    if complaint:
        raise InputError(f"scenario {scenario.name}: {complaint}")


def _set_model(g: Array, scenario: Scenario, model: str, tasks: int, seed: int) -> None:
    if model not in codes.MODELS:
        raise InputError(f"no such model: {model}", hint=", ".join(codes.MODELS))
    target = 1 if scenario.patch.direction == "patching" else 0
    g[codes.MODEL] = codes.MODELS.index(model)
    g[codes.TASKS], g[codes.CPUS] = tasks, scenario.machine.cpus
    g[codes.TARGET] = g[codes.TOWARD] = target
    g[codes.KERNEL] = 1 - target
    g[codes.CHECK_SEED] = seed % 2147483646 + 1
    if scenario.patch.reverse_after is not None:
        g[codes.REVERSE_AFTER] = _positive("reverse_after", scenario.patch.reverse_after)


def _set_costs(g: Array, scenario: Scenario, model: str, assembly: Assembly) -> None:
    kernel, costs = scenario.machine.kernel, scenario.machine.costs
    if not 0 <= costs.dead_words <= 1:
        raise InputError("costs: dead_words must be from 0 to 1")
    g[codes.CHECK_ODDS] = round(costs.dead_words * 2147483647)
    check = costs.stack_word_scan if model == "ksplice" else costs.stack_trace
    g[codes.CHECK_COST], g[codes.IPI] = nanoseconds(check), nanoseconds(costs.ipi)
    g[codes.REDIRECT_COST], g[codes.WALK] = nanoseconds(costs.redirect), nanoseconds(costs.walk)
    for table, text in (
        (codes.GATHER, costs.gather),
        (codes.RESUME, costs.resume),
        (codes.MARK, costs.mark),
        (codes.UNMARK, costs.unmark),
    ):
        g[table] = assembly.table(text) if text else -1
    g[codes.LINGER] = nanoseconds(scenario.linger)
    g[codes.TICK], g[codes.SLICE] = _positive("tick", kernel.tick), _positive("slice", kernel.slice)
    g[codes.PREEMPTIBLE] = kernel.preemption == "full"
    g[codes.RESCHED_SWITCHES] = kernel.resched_switches
    g[codes.WAKES] = kernel.kgraft_wakes


def _positive(what: str, text: str) -> int:
    value = nanoseconds(text)
    if value == 0:
        raise InputError(f"{what} must be longer than nothing")
    return value


def _set_disturbers(g: Array, scenario: Scenario, assembly: Assembly) -> None:
    interrupts, steal = scenario.machine.interrupts, scenario.machine.steal
    g[codes.IRQ_EVERY] = g[codes.STEAL_EVERY] = -1
    if interrupts is not None:
        g[codes.IRQ_START] = assembly.add(interrupts.program, "irq", "interrupts")
        g[codes.IRQ_EVERY] = assembly.table(interrupts.every)
    if steal is not None:
        g[codes.STEAL_EVERY] = assembly.table(steal.every)
        g[codes.STEAL_TAKES] = assembly.table(steal.takes)


def _arrays(g: Array, scenario: Scenario, assembly: Assembly, entries: list[int]) -> Machine:
    tasks, cpus = int(g[codes.TASKS]), int(g[codes.CPUS])
    contexts, functions = tasks + 2 * cpus, len(assembly.functions)
    if assembly.deepest > _DEEPEST or functions > 16000:
        raise InputError(f"at most {_DEEPEST} calls in each other, and 16000 functions")
    counts = [group.count for group in scenario.tasks]
    group = np.repeat(np.arange(len(counts)), counts)
    origin = 1 - int(g[codes.TARGET])
    in_patch = np.zeros(functions, dtype=np.int64)
    in_patch[[assembly.functions.index(name) for name in scenario.patch.functions]] = 1
    is_user = np.array([each.kind == "user" for each in scenario.tasks])
    kinds = np.where(is_user, codes.USER_TASK, codes.KTHREAD)[group]
    starts = np.array(entries)[group]
    context = np.zeros((contexts, fields.FRAMES + assembly.deepest), dtype=np.int64)
    context[:, fields.KIND] = _row(kinds, np.full(cpus, codes.IDLE), np.full(cpus, codes.IRQ))
    context[:, fields.GROUP] = _row(group, np.full(2 * cpus, -1))
    context[:, fields.PC] = _row(starts, np.zeros(cpus), np.full(cpus, g[codes.IRQ_START]))
    context[:, fields.HOME] = _row(np.arange(tasks) % cpus, np.arange(cpus), np.arange(cpus))
    context[:, fields.IN_KERNEL] = _row(~is_user[group], np.ones(2 * cpus))
    context[:, fields.STATE] = codes.SLEEPING
    context[:, fields.VERSION] = origin
    context[:, [fields.MOVED_AT, fields.WAKE_AT, fields.NEXT]] = -1
    cpu = np.zeros((cpus, fields.CPU_FIELDS), dtype=np.int64)
    cpu[:, [fields.CURRENT, fields.HEAD, fields.TAIL, fields.PARKED_AT]] = -1
    cpu[:, fields.IRQ_VERSION] = origin
    steps = [(step.op, step.arg, step.jump) for step in assembly.steps]
    return Machine(
        g=g,
        context=context,
        cpu=cpu,
        step=np.array(steps, dtype=np.int64),
        function=np.stack([in_patch, np.full(functions, origin)], axis=1).astype(np.int64),
        event=np.zeros((2 * (2 * tasks + 16 * cpus + 64), fields.EVENT_FIELDS), dtype=np.int64),
        quantiles=np.array(assembly.tables, dtype=np.int64).reshape(-1, QUANTILES),
        channel=np.full(max(1, len(assembly.channels)), -1, dtype=np.int64),
        tries=np.zeros((MOST_TRIES, 5), dtype=np.int64),
        stop_ns=np.full((MOST_TRIES, cpus), -1, dtype=np.int64),
    )


def _row(*parts: NDArray[Any]) -> Array:
    return np.concatenate(parts).astype(np.int64)


def _seed(machine: Machine, seed: int) -> None:
    """Give each context a stream of its own."""
    random = np.random.default_rng(seed)
    count = len(machine.context)
    machine.context[:, fields.SEED1] = random.integers(1, draws.FIRST, count)
    machine.context[:, fields.SEED2] = random.integers(1, draws.SECOND, count)


def _first_events(machine: Machine, scenario: Scenario, seed: int) -> None:
    """Spread the tasks' starts over the time before the patch; disturbers come by their rates."""
    tasks, cpus = int(machine.g[codes.TASKS]), int(machine.g[codes.CPUS])
    machine.g[codes.CLOCK_PHASE] = np.random.default_rng((seed, 2)).integers(0, 1_000_000_000)
    settle = nanoseconds(scenario.settle)
    if scenario.machine.kernel.clock_phase:
        phase = nanoseconds(scenario.machine.kernel.clock_phase) - settle
        machine.g[codes.CLOCK_PHASE] = phase % 1_000_000_000
    random = np.random.default_rng((seed, 1))
    starts = random.integers(0, max(1, settle * 4 // 5), tasks)
    first = 0
    for group in scenario.tasks:
        if group.start:
            starts[first : first + group.count] = nanoseconds(group.start)
        first += group.count
    machine.context[:tasks, fields.WAKE_AT] = starts
    found = [(starts, codes.WAKE)]
    for table, kind in ((codes.IRQ_EVERY, codes.INTERRUPT), (codes.STEAL_EVERY, codes.STEAL)):
        if machine.g[table] >= 0:
            found.append((random.choice(machine.quantiles[machine.g[table]], cpus), kind))
    found.append((np.array([settle]), codes.BEGIN))
    _fill(machine, found)


def _fill(machine: Machine, found: Sequence[tuple[Array, int]]) -> None:
    """Put the first events into the queue's wheel: of each kind, one for each who, from 0 on."""
    times = np.concatenate([times for times, _ in found])
    kinds = np.concatenate([np.full(len(times), kind) for times, kind in found])
    who = np.concatenate([np.arange(len(times)) for times, _ in found])
    count, first = len(times), len(machine.event) // 2
    order = np.argsort(times, kind="stable")
    rows = machine.event[first : first + count]
    rows[:, fields.TIME] = times[order]
    rows[:, fields.KEY] = (np.arange(count) << 4) | kinds[order]
    rows[:, fields.WHO] = who[order]
    hooks = (rows[:, fields.TIME] >> SHIFT) % codes.SLOTS
    by_hook = np.argsort(hooks, kind="stable")
    rows[:, fields.LINK] = -1
    same = hooks[by_hook][1:] == hooks[by_hook][:-1]
    rows[by_hook[:-1][same], fields.LINK] = first + by_hook[1:][same]
    hook, at = np.unique(hooks[by_hook], return_index=True)
    machine.g[codes.WHEEL :] = -1
    machine.g[codes.WHEEL + hook] = first + by_hook[at]
    machine.g[codes.ORDER] = machine.g[codes.LATER] = count
    machine.g[codes.SLOT] = machine.g[codes.FREE] = -1
    machine.g[codes.FRESH] = first + count
