"""kGraft: mark every task, let it move when it passes the kernel's border; never stop anything.

kGraft as in SLE 12, ``kernel/kgraft.c``: ``kgr_handle_processes`` marks tasks and wakes kthreads;
``kgr_stub_slow`` takes the new function for a task that is not marked, and goes by a universe of
the CPU's own in interrupts; ``kgr_task_safe`` takes the mark off, on the way into and out of the
kernel and where a kthread says that it is safe; ``kgr_work_fn`` looks every ``KGR_TIMEOUT``, two
seconds, whether a mark is left, and never gives up. `Machine.version` is the mark: a task is marked
while it still calls what is to be left.
"""

from __future__ import annotations

from lpharness.simulation import codes, fields
from lpharness.simulation.compiled import compiled, compiled_apart
from lpharness.simulation.draws import delay
from lpharness.simulation.events import push
from lpharness.simulation.machine import Machine, finish, move, move_all
from lpharness.simulation.waking import wake

TIMEOUT_NS = 2_000_000_000


@compiled
def version_called(m: Machine, context: int) -> int:
    """``kgr_stub_slow``."""
    if m.context[context, fields.KIND] == codes.IRQ:
        return int(m.cpu[m.context[context, fields.HOME], fields.IRQ_VERSION])
    return int(m.context[context, fields.VERSION])


@compiled_apart
def begin(m: Machine, now: int) -> None:
    """``kgr_modify_kernel``, which takes its time before a task is marked."""
    marked_at = now + delay(m, int(m.g[codes.MARK]))
    if marked_at > now:
        push(m, marked_at, codes.WALKED, 0)
    else:
        mark_all(m, now)


@compiled_apart
def mark_all(m: Machine, now: int) -> None:
    """``kgr_handle_processes`` and ``kgr_handle_irqs``."""
    m.g[codes.MARKED] = 1
    for task in range(m.g[codes.TASKS]):
        if not needs_lazy_migration(m, task):
            move(m, task, now)
        if (
            m.context[task, fields.KIND] == codes.KTHREAD
            and m.context[task, fields.STATE] == codes.SLEEPING
        ):
            wake(m, task, now)
    for cpu in range(m.g[codes.CPUS]):
        if m.cpu[cpu, fields.CURRENT] < 0 and m.cpu[cpu, fields.IRQ_END] == 0:
            in_process_context(m, cpu)
    push(m, now + 2_000_000_000, codes.WORK, 0)


@compiled
def needs_lazy_migration(m: Machine, task: int) -> bool:
    """``kgr_needs_lazy_migration``: a task in user mode is migrated at once."""
    return bool(m.context[task, fields.IN_KERNEL])


@compiled
def at_safe_point(m: Machine, task: int, now: int) -> None:
    """``kgr_task_safe``: at the border, both ways, and at a kthread's annotated points."""
    if m.g[codes.MARKED]:
        move(m, task, now)


@compiled
def in_process_context(m: Machine, cpu: int) -> None:
    """``kgr_handle_irq_cpu``: work on each CPU lets its interrupts take the new code."""
    if m.g[codes.MARKED]:
        m.cpu[cpu, fields.IRQ_VERSION] = m.g[codes.TARGET]


@compiled_apart
def work(m: Machine, now: int) -> None:
    """``kgr_work_fn``: done when no task is marked; else look again."""
    marked = 0
    for task in range(m.g[codes.TASKS]):
        if m.context[task, fields.VERSION] != m.g[codes.TARGET]:
            m.context[task, fields.BLOCKED_AT] = m.g[codes.TRIES] + 1
            marked += 1
            if m.g[codes.WAKES] and m.context[task, fields.STATE] == codes.SLEEPING:
                wake(m, task, now)  # by a signal that it never sees
    for cpu in range(m.g[codes.CPUS]):
        if m.cpu[cpu, fields.IRQ_VERSION] != m.g[codes.TARGET]:
            marked += 1
    m.g[codes.TRIES] += 1
    if marked:
        push(m, now + 2_000_000_000, codes.WORK, 0)
        return
    move_all(m, now)
    finish(m, codes.DONE, now + delay(m, int(m.g[codes.UNMARK])))
