"""Queues of CPUs, and tasks that wake up."""

from __future__ import annotations

from lpharness.simulation import codes, fields
from lpharness.simulation.compiled import compiled
from lpharness.simulation.events import push
from lpharness.simulation.machine import Machine


@compiled
def wake(m: Machine, task: int, now: int) -> None:
    """Put a sleeping task into its CPU's queue; an idle CPU is told to look."""
    m.context[task, fields.STATE] = codes.READY
    m.context[task, fields.WAKE_AT] = -1
    cpu = int(m.context[task, fields.HOME])
    enqueue(m, cpu, task)
    if m.cpu[cpu, fields.CURRENT] < 0:
        arm(m, cpu, now)


@compiled
def enqueue(m: Machine, cpu: int, task: int) -> None:
    """Put a task behind the others of its CPU."""
    m.context[task, fields.NEXT] = -1
    if m.cpu[cpu, fields.HEAD] < 0:
        m.cpu[cpu, fields.HEAD] = task
    else:
        m.context[m.cpu[cpu, fields.TAIL], fields.NEXT] = task
    m.cpu[cpu, fields.TAIL] = task


@compiled
def arm(m: Machine, cpu: int, time: int) -> None:
    """See to it that the CPU is looked at, at ``time`` or before."""
    if not m.cpu[cpu, fields.ARMED]:
        m.cpu[cpu, fields.ARMED] = 1
        push(m, time, codes.CPU_END, cpu)
