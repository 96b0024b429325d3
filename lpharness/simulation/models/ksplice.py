"""Ksplice: stop the machine, look at every word of every stack, switch the kernel.

Ksplice 0.9.9, ``kmodsrc/ksplice.c``: ``apply_patches`` tries five times, a second apart;
``__apply_patches`` runs in ``stop_machine``; ``check_each_task`` visits every task and goes on
after a conflict; ``check_stack`` compares each word between the stack pointer and the stack's end,
so that a word left over from a call that has returned can be in the way as well.
"""

from __future__ import annotations

from lpharness.simulation import codes, fields
from lpharness.simulation.compiled import compiled, compiled_apart
from lpharness.simulation.machine import Machine, leaving_on_stack

TRIES = 5
APART_NS = 1_000_000_000


@compiled
def version_called(m: Machine) -> int:
    """A trampoline stands at the function's entry, or not: the same for everybody."""
    return int(m.g[codes.KERNEL])


@compiled
def in_the_way(m: Machine, task: int) -> bool:
    """``check_stack``: an address of a function that is to be left is among the stack's words."""
    return leaving_on_stack(m, task) or _dead_word_points_there(m, task)


@compiled
def _dead_word_points_there(m: Machine, task: int) -> bool:
    """Such a word can only be there if the task called the function since it entered the kernel."""
    if not m.context[task, fields.IN_KERNEL] or not m.context[task, fields.SEEN] & (
        1 << (1 - m.g[codes.TARGET])
    ):
        return False
    seed = int(m.g[codes.CHECK_SEED]) * 48271 % 2147483647
    m.g[codes.CHECK_SEED] = seed
    return bool(seed < m.g[codes.CHECK_ODDS])


@compiled_apart
def check(m: Machine) -> int:
    """``check_each_task``: return how many tasks are in the way."""
    found = 0
    for task in range(m.g[codes.TASKS]):
        if in_the_way(m, task):
            m.context[task, fields.BLOCKED_AT] = m.g[codes.TRIES] + 1
            found += 1
    m.g[codes.CHECKED] = m.g[codes.TASKS]
    return found
