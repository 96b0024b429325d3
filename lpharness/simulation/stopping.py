"""``stop_machine``: every CPU stands still, the stacks are looked at, every CPU goes on.

Linux ``kernel/stop_machine.c``: the stopper is the task of the highest priority on its CPU, but on
a kernel that is not fully preemptible it waits until the CPU leaves the kernel, sleeps or calls
``cond_resched``; whoever has come waits for the others with interrupts off.
"""

from __future__ import annotations

from lpharness.simulation import codes, fields
from lpharness.simulation.compiled import compiled_apart
from lpharness.simulation.draws import delay
from lpharness.simulation.events import push
from lpharness.simulation.machine import Machine, finish, move_all
from lpharness.simulation.models import rules
from lpharness.simulation.waking import arm


@compiled_apart
def ask(m: Machine, now: int) -> None:
    """Tell every CPU to stop."""
    m.g[codes.STOPPING] = 1
    m.g[codes.PARKED] = 0
    m.g[codes.STOP_ASKED_AT] = now
    m.tries[m.g[codes.TRIES], 0] = now
    asked = now + int(m.g[codes.IPI]) + delay(m, int(m.g[codes.GATHER]))
    for cpu in range(m.g[codes.CPUS]):
        push(m, asked, codes.PARK, cpu)


@compiled_apart
def come(m: Machine, cpu: int, now: int) -> None:
    """The stopper wants the CPU: it has it at once, or when it may."""
    if m.cpu[cpu, fields.STOLEN_UNTIL] > now:
        push(m, int(m.cpu[cpu, fields.STOLEN_UNTIL]), codes.PARK, cpu)
        return
    task = int(m.cpu[cpu, fields.CURRENT])
    busy = task >= 0 and m.context[task, fields.IN_KERNEL] and not m.g[codes.PREEMPTIBLE]
    if m.cpu[cpu, fields.IRQ_END] > 0 or busy:
        m.cpu[cpu, fields.STOP_WANTED] = 1
    else:
        park(m, cpu, now)


@compiled_apart
def park(m: Machine, cpu: int, now: int) -> None:
    """The CPU stands still; when the last one does, the stacks are looked at."""
    m.cpu[cpu, fields.STOP_WANTED] = 0
    m.cpu[cpu, fields.PARKED_AT] = now
    m.g[codes.PARKED] += 1
    if m.g[codes.PARKED] == m.g[codes.CPUS]:
        number = int(m.g[codes.TRIES])
        found = rules.check(m)
        m.g[codes.MAY_SWITCH] = 1 if found == 0 else 0
        m.tries[number, 1] = now
        m.tries[number, 3] = found
        m.tries[number, 4] = m.g[codes.CHECKED]
        push(m, now + int(m.g[codes.CHECKED] * m.g[codes.CHECK_COST]), codes.RELEASE, 0)


@compiled_apart
def release(m: Machine, now: int) -> None:
    """Switch the kernel if nothing was in the way, and let every CPU go on."""
    number = int(m.g[codes.TRIES])
    m.tries[number, 2] = now
    m.g[codes.STOPPING] = 0
    m.g[codes.TRIES] = number + 1
    goes_on = now + delay(m, int(m.g[codes.RESUME]))
    if m.g[codes.MAY_SWITCH]:
        move_all(m, now)
        finish(m, codes.DONE, goes_on)
    elif number + 1 == len(m.tries):
        finish(m, codes.FAILED, goes_on)
    else:
        push(m, goes_on + rules.apart_ns(m), codes.WORK, 0)
    for cpu in range(m.g[codes.CPUS]):
        _go_on(m, number, cpu, now)


@compiled_apart
def _go_on(m: Machine, number: int, cpu: int, now: int) -> None:
    stood = now - int(m.cpu[cpu, fields.PARKED_AT])
    m.stop_ns[number, cpu] = stood
    m.cpu[cpu, fields.PARKED_AT] = -1
    if m.cpu[cpu, fields.CURRENT] >= 0:
        m.cpu[cpu, fields.END] += max(now, int(m.cpu[cpu, fields.STOLEN_UNTIL])) - (now - stood)
        arm(m, cpu, int(m.cpu[cpu, fields.END]))
    elif m.cpu[cpu, fields.HEAD] >= 0:
        arm(m, cpu, now)
