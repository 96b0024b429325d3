"""The hybrid: upstream's since 4.12. Each task moves when its stack is clear, or at the border.

Linux 6.1 and 6.12, ``kernel/livepatch/transition.c`` and, for the call, ``klp_ftrace_handler`` of
``kernel/livepatch/patch.c``.
"""

from __future__ import annotations

from lpharness.simulation import codes, fields
from lpharness.simulation.compiled import compiled
from lpharness.simulation.events import push
from lpharness.simulation.machine import (
    Machine,
    finish,
    idle_of,
    leaving_on_stack,
    move,
    move_all,
)
from lpharness.simulation.waking import wake

SIGNALS_TIMEOUT = 15
"""After so many tries, and then each time as many, the kernel wakes and signals who lags behind."""


@compiled
def version_called(m: Machine, under: int) -> int:
    """``klp_ftrace_handler``: by ``current->patch_state``, in an interrupt as well."""
    return int(m.context[under, fields.VERSION])


@compiled
def begin(m: Machine, now: int) -> None:
    """``klp_start_transition`` and the first ``klp_try_complete_transition``."""
    m.g[codes.TRIES] = 0
    work(m, now)


@compiled
def try_switch(m: Machine, task: int, now: int) -> bool:
    """``klp_try_switch_task``: not while it runs, not with such a function on its stack.

    Whoever tries does so on CPU 0: what ran there has made way, and does not run.
    """
    if m.context[task, fields.VERSION] == m.g[codes.TARGET]:
        return True
    cpu = m.context[task, fields.HOME]
    if (cpu > 0 and m.cpu[cpu, fields.CURRENT] == task) or leaving_on_stack(m, task):
        return False
    move(m, task, now)
    return True


@compiled
def exit_to_user(m: Machine, task: int, now: int) -> None:
    """``exit_to_user_mode_loop``: ``klp_update_patch_state``; no patched function can be below."""
    move(m, task, now)


@compiled
def idle_loop(m: Machine, cpu: int, now: int) -> None:
    """``do_idle``: ``klp_update_patch_state``."""
    move(m, idle_of(m, cpu), now)


@compiled
def cond_resched(m: Machine, task: int, now: int) -> None:
    """``klp_sched_try_switch`` (6.12, not 6.1): a task looks at its own stack."""
    if m.g[codes.RESCHED_SWITCHES] and not leaving_on_stack(m, task):
        move(m, task, now)


@compiled
def work(m: Machine, now: int) -> None:
    """``klp_transition_work_fn``: look at all tasks that have not moved.

    That takes time, in which they go on and may move by themselves. They are all looked at when it
    is over, the kernel looks at one after the other.
    """
    walk = int(m.g[codes.WALK]) * _not_moved(m)
    if walk > 0:
        push(m, now + walk, codes.WALKED, 0)
    else:
        tried(m, now)


@compiled
def _not_moved(m: Machine) -> int:
    found = 0
    for task in range(m.g[codes.TASKS]):
        if m.context[task, fields.VERSION] != m.g[codes.TARGET]:
            found += 1
    return found


@compiled
def tried(m: Machine, now: int) -> None:
    """The end of ``klp_try_complete_transition``: over, or again in a second."""
    if complete(m, now):
        return
    tries = int(m.g[codes.TRIES])
    if tries > 0 and tries % 15 == 0:
        send_signals(m, now)
    m.g[codes.TRIES] = tries + 1
    push(m, next_try(m, now), codes.WORK, 0)


@compiled
def next_try(m: Machine, now: int) -> int:
    """``round_jiffies_relative(HZ)``: in a second, rounded to whole ones of the kernel's clock.

    ``round_jiffies_common`` (``kernel/time/timer.c``) rounds up from a quarter on, so that the next
    try comes after 0.75 to 1.75 seconds.
    """
    clock = now + int(m.g[codes.CLOCK_PHASE]) + 1_000_000_000
    over = clock % 1_000_000_000
    rounded = clock - over if over < 250_000_000 else clock - over + 1_000_000_000
    return rounded - int(m.g[codes.CLOCK_PHASE])


@compiled
def complete(m: Machine, now: int) -> bool:
    """``klp_try_complete_transition``: return whether every task has moved, and then end it."""
    done = True
    for task in range(m.g[codes.TASKS]):
        if not try_switch(m, task, now):
            m.context[task, fields.BLOCKED_AT] = m.g[codes.TRIES] + 1
            done = False
    for cpu in range(m.g[codes.CPUS]):
        if m.context[idle_of(m, cpu), fields.VERSION] == m.g[codes.TARGET]:
            continue
        if cpu == 0 or m.cpu[cpu, fields.CURRENT] >= 0:
            move(m, idle_of(m, cpu), now)
            continue
        done = False  # it runs; it is woken, and moves in its loop: this try failed all the same
        if m.cpu[cpu, fields.IRQ_END] == 0:
            move(m, idle_of(m, cpu), now)
    if done:
        move_all(m, now)
        finish(m, codes.DONE, now)
    return done


@compiled
def send_signals(m: Machine, now: int) -> None:
    """``klp_send_signals``: wake from interruptible sleep who has not moved."""
    for task in range(m.g[codes.TASKS]):
        if (
            m.context[task, fields.VERSION] != m.g[codes.TARGET]
            and m.context[task, fields.STATE] == codes.SLEEPING
        ):
            wake(m, task, now)


@compiled
def reverse(m: Machine, now: int) -> None:
    """``klp_reverse_transition``: who moved moves back, by the same rules.

    The work that is already due stays so; ``enabled_store`` tries once by itself.
    """
    m.g[codes.TARGET] = 1 - m.g[codes.TARGET]
    m.g[codes.TRIES] = 0
    complete(m, now)
