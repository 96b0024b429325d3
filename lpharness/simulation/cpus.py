"""What CPUs do: run tasks for their slices, take interrupts, and be stolen by the hypervisor."""

from __future__ import annotations

from lpharness.simulation import codes, fields, stopping
from lpharness.simulation.compiled import compiled
from lpharness.simulation.draws import duration
from lpharness.simulation.events import push
from lpharness.simulation.machine import Machine, idle_of, irq_of
from lpharness.simulation.models import rules
from lpharness.simulation.program import execute
from lpharness.simulation.waking import arm, enqueue


@compiled
def look(m: Machine, cpu: int, now: int) -> None:
    """A `CPU_END` event: a piece of work is done, or the CPU was called."""
    m.cpu[cpu, fields.ARMED] = 0
    if m.cpu[cpu, fields.PARKED_AT] >= 0 or m.cpu[cpu, fields.IRQ_END] > 0:
        return  # whoever ends that arms the CPU again
    task = int(m.cpu[cpu, fields.CURRENT])
    if m.cpu[cpu, fields.STOLEN_UNTIL] > now:
        arm(m, cpu, int(m.cpu[cpu, fields.STOLEN_UNTIL]))
    elif task < 0:
        schedule(m, cpu, now)
    elif now < m.cpu[cpu, fields.END]:
        arm(m, cpu, int(m.cpu[cpu, fields.END]))
    else:
        _piece_done(m, cpu, task, now)


@compiled
def _piece_done(m: Machine, cpu: int, task: int, now: int) -> None:
    m.context[task, fields.LEFT] -= m.cpu[cpu, fields.PIECE]
    m.cpu[cpu, fields.USED] += m.cpu[cpu, fields.PIECE]
    if m.context[task, fields.LEFT] <= 0:
        go_on(m, cpu, task, now)
        return
    if not m.context[task, fields.IN_KERNEL]:
        rules.goes_to_user(m, task, now)  # the tick's interrupt returns
    rules.schedules(m, cpu)
    may_take = m.g[codes.PREEMPTIBLE] or not m.context[task, fields.IN_KERNEL]
    if may_take and m.cpu[cpu, fields.HEAD] >= 0 and m.cpu[cpu, fields.USED] >= m.g[codes.SLICE]:
        enqueue(m, cpu, task)
        schedule(m, cpu, now)
    else:
        _next_piece(m, cpu, task, now)


@compiled
def go_on(m: Machine, cpu: int, task: int, now: int) -> None:
    """Run the current task's program on."""
    came = execute(m, task, task, now)
    if came == codes.RUNS:
        _next_piece(m, cpu, task, now)
    elif came == codes.PARKS:
        m.context[task, fields.LEFT] = 0
        m.cpu[cpu, fields.PIECE] = 0
        m.cpu[cpu, fields.END] = now
        stopping.park(m, cpu, now)
    else:
        if came == codes.YIELDS:
            m.context[task, fields.LEFT] = 0
            enqueue(m, cpu, task)
        schedule(m, cpu, now)


@compiled
def _next_piece(m: Machine, cpu: int, task: int, now: int) -> None:
    """Let a task run up to the next tick at most."""
    m.cpu[cpu, fields.PIECE] = min(m.context[task, fields.LEFT], m.g[codes.TICK])
    m.cpu[cpu, fields.END] = now + m.cpu[cpu, fields.PIECE]
    arm(m, cpu, int(m.cpu[cpu, fields.END]))


@compiled
def schedule(m: Machine, cpu: int, now: int) -> None:
    """Take the next task of the queue; tasks that sleep again at once are passed by."""
    m.cpu[cpu, fields.CURRENT] = -1
    rules.schedules(m, cpu)
    if m.cpu[cpu, fields.STOP_WANTED]:
        stopping.park(m, cpu, now)
        return
    while m.cpu[cpu, fields.HEAD] >= 0:
        task = int(m.cpu[cpu, fields.HEAD])
        m.cpu[cpu, fields.HEAD] = m.context[task, fields.NEXT]
        m.cpu[cpu, fields.CURRENT] = task
        m.cpu[cpu, fields.USED] = 0
        if m.context[task, fields.LEFT] > 0:
            _next_piece(m, cpu, task, now)
            return
        came = execute(m, task, task, now)
        if came == codes.RUNS:
            _next_piece(m, cpu, task, now)
            return
        m.cpu[cpu, fields.CURRENT] = -1
    rules.idles(m, cpu, now)


@compiled
def interrupt(m: Machine, cpu: int, now: int) -> None:
    """An interrupt comes: one at a time, none while the CPU stands still, later if it is stolen."""
    if m.cpu[cpu, fields.STOLEN_UNTIL] > now:
        push(m, int(m.cpu[cpu, fields.STOLEN_UNTIL]), codes.INTERRUPT, cpu)
        return
    context = irq_of(m, cpu)
    push(m, now + duration(m, context, int(m.g[codes.IRQ_EVERY])), codes.INTERRUPT, cpu)
    if m.cpu[cpu, fields.PARKED_AT] < 0 and m.cpu[cpu, fields.IRQ_END] == 0:
        _interrupt_on(m, cpu, context, now)


@compiled
def interrupt_step(m: Machine, cpu: int, now: int) -> None:
    """A piece of an interrupt's work is done."""
    if now < m.cpu[cpu, fields.IRQ_END]:  # it was stolen meanwhile
        push(m, int(m.cpu[cpu, fields.IRQ_END]), codes.IRQ_STEP, cpu)
    else:
        _interrupt_on(m, cpu, irq_of(m, cpu), now)


@compiled
def _interrupt_on(m: Machine, cpu: int, context: int, now: int) -> None:
    task = int(m.cpu[cpu, fields.CURRENT])
    under = task if task >= 0 else idle_of(m, cpu)
    if execute(m, context, under, now) == codes.RUNS:
        took = int(m.context[context, fields.LEFT])
        m.cpu[cpu, fields.IRQ_END] = now + took
        if task >= 0:
            m.cpu[cpu, fields.END] += took
        push(m, now + took, codes.IRQ_STEP, cpu)
        return
    m.cpu[cpu, fields.IRQ_END] = 0
    _return_from_interrupt(m, cpu, task, now)


@compiled
def _return_from_interrupt(m: Machine, cpu: int, task: int, now: int) -> None:
    if task < 0:
        rules.idles(m, cpu, now)
    elif not m.context[task, fields.IN_KERNEL]:
        rules.goes_to_user(m, task, now)
    if m.cpu[cpu, fields.STOP_WANTED]:
        m.cpu[cpu, fields.STOP_WANTED] = 0
        stopping.come(m, cpu, now)
        if m.cpu[cpu, fields.PARKED_AT] >= 0:
            return
    if task >= 0:
        arm(m, cpu, int(m.cpu[cpu, fields.END]))
    elif m.cpu[cpu, fields.HEAD] >= 0:
        arm(m, cpu, now)


@compiled
def steal(m: Machine, cpu: int, now: int) -> None:
    """The hypervisor takes the CPU for a while: all that it does comes later by as much."""
    context = irq_of(m, cpu)
    takes = duration(m, context, int(m.g[codes.STEAL_TAKES]))
    m.cpu[cpu, fields.STOLEN_UNTIL] = now + takes
    if m.cpu[cpu, fields.IRQ_END] > 0:
        m.cpu[cpu, fields.IRQ_END] += takes
    if m.cpu[cpu, fields.CURRENT] >= 0 and m.cpu[cpu, fields.PARKED_AT] < 0:
        m.cpu[cpu, fields.END] += takes
    every = duration(m, context, int(m.g[codes.STEAL_EVERY]))
    push(m, now + takes + every, codes.STEAL, cpu)
