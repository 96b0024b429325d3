"""The hybrid: upstream's since 4.12. Each task moves when its stack is clear, or at the border.

Linux 6.1 and 6.12, ``kernel/livepatch/transition.c`` and, for the call, ``klp_ftrace_handler`` of
``kernel/livepatch/patch.c``.
"""

from __future__ import annotations

from lpharness.simulation import codes, fields
from lpharness.simulation.compiled import compiled, compiled_apart
from lpharness.simulation.draws import delay
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


@compiled_apart
def begin(m: Machine, now: int) -> None:
    """``klp_start_transition``, which says so on the console before it marks the tasks."""
    m.g[codes.TRIES] = 0
    marked_at = now + delay(m, int(m.g[codes.MARK]))
    if marked_at > now:
        push(m, marked_at, codes.WALKED, 0)
    else:
        walked(m, now)


@compiled_apart
def walked(m: Machine, now: int) -> None:
    """All tasks are marked: try for the first time. Or some of them have been looked at."""
    if not m.g[codes.MARKED]:
        m.g[codes.MARKED] = 1
        work(m, now)
    elif m.cpu[0, fields.STOLEN_UNTIL] > now:  # whoever looks runs there
        push(m, int(m.cpu[0, fields.STOLEN_UNTIL]), codes.WALKED, 0)
    else:
        _look_at_some(m, now)


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
    if m.g[codes.MARKED]:
        move(m, task, now)


@compiled
def idle_loop(m: Machine, cpu: int, now: int) -> None:
    """``do_idle``: ``klp_update_patch_state``."""
    if m.g[codes.MARKED]:
        move(m, idle_of(m, cpu), now)


@compiled
def cond_resched(m: Machine, task: int, now: int) -> None:
    """``klp_sched_try_switch`` (6.12, not 6.1): a task looks at its own stack."""
    if m.g[codes.RESCHED_SWITCHES] and m.g[codes.MARKED] and not leaving_on_stack(m, task):
        move(m, task, now)


@compiled_apart
def work(m: Machine, now: int) -> None:
    """``klp_transition_work_fn``: look at all tasks, one after the other, and try again if need be.

    Each look takes time, in which other tasks go on and may move by themselves.
    """
    if m.g[codes.WALK] == 0:
        tried(m, complete(m, now), now)
        return
    m.g[codes.WALK_TO] = 0
    m.g[codes.WALK_CLEAN] = 1
    _walk_on(m, now)


PIECE_NS = 250_000
"""A walk goes on in pieces so long: what is looked at together is looked at when all of it was."""


@compiled_apart
def _walk_on(m: Machine, now: int) -> None:
    """Take the next tasks; who has moved takes no time."""
    most, found, task = max(1, PIECE_NS // int(m.g[codes.WALK])), 0, int(m.g[codes.WALK_TO])
    m.g[codes.WALK_FROM] = task
    while task < m.g[codes.TASKS] and found < most:
        if m.context[task, fields.VERSION] != m.g[codes.TARGET]:
            found += 1
        task += 1
    m.g[codes.WALK_TO] = task
    push(m, now + found * int(m.g[codes.WALK]), codes.WALKED, 0)


@compiled_apart
def _look_at_some(m: Machine, now: int) -> None:
    if not look_at(m, int(m.g[codes.WALK_FROM]), int(m.g[codes.WALK_TO]), now):
        m.g[codes.WALK_CLEAN] = 0
    if m.g[codes.WALK_TO] < m.g[codes.TASKS]:
        _walk_on(m, now)
    else:
        tried(m, end_look(m, m.g[codes.WALK_CLEAN] == 1, now), now)


@compiled_apart
def tried(m: Machine, done: bool, now: int) -> None:
    """The end of ``klp_try_complete_transition``: over, or again in a second."""
    if done:
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


@compiled_apart
def complete(m: Machine, now: int) -> bool:
    """``klp_try_complete_transition`` in no time: return whether every task has moved."""
    return end_look(m, look_at(m, 0, int(m.g[codes.TASKS]), now), now)


@compiled_apart
def look_at(m: Machine, first: int, end: int, now: int) -> bool:
    """Try to switch some tasks; return whether nobody of them is in the way."""
    clean = True
    for task in range(first, end):
        if not try_switch(m, task, now):
            m.context[task, fields.BLOCKED_AT] = m.g[codes.TRIES] + 1
            clean = False
    return clean


@compiled_apart
def end_look(m: Machine, clean: bool, now: int) -> bool:
    """Look at the idle tasks, and end the transition if nobody was in the way."""
    for cpu in range(m.g[codes.CPUS]):
        if m.context[idle_of(m, cpu), fields.VERSION] == m.g[codes.TARGET]:
            continue
        if cpu == 0 or m.cpu[cpu, fields.CURRENT] >= 0:
            move(m, idle_of(m, cpu), now)
            continue
        clean = False  # it runs; it is woken, and moves in its loop: this try failed all the same
        if m.cpu[cpu, fields.IRQ_END] == 0:
            move(m, idle_of(m, cpu), now)
    if clean:
        move_all(m, now)
        finish(m, codes.DONE, now)
    return clean


@compiled_apart
def send_signals(m: Machine, now: int) -> None:
    """``klp_send_signals``: wake from interruptible sleep who has not moved."""
    for task in range(m.g[codes.TASKS]):
        if (
            m.context[task, fields.VERSION] != m.g[codes.TARGET]
            and m.context[task, fields.STATE] == codes.SLEEPING
        ):
            wake(m, task, now)


@compiled_apart
def reverse(m: Machine, now: int) -> None:
    """``klp_reverse_transition``: who moved moves back, by the same rules.

    The work that is already due stays so; ``enabled_store`` tries once by itself.
    """
    m.g[codes.TARGET] = 1 - m.g[codes.TARGET]
    m.g[codes.TRIES] = 0
    m.g[codes.WALK_CLEAN] = 0  # a look that is under way was at who had to go the other way
    complete(m, now)
