"""kpatch, the original: stop the machine, trace every stack, switch the kernel.

kpatch 0.2 to 0.4, ``kmod/core/core.c``: ``kpatch_apply_patch`` runs in ``stop_machine`` and calls
``kpatch_verify_activeness_safety``, which gives up at the first task that is in the way;
``kpatch_ftrace_handler`` takes the new function from a hash that all share. The script
``kpatch/kpatch`` tries to load five times, two seconds apart.
"""

from __future__ import annotations

from lpharness.simulation import codes, fields
from lpharness.simulation.compiled import compiled, compiled_apart
from lpharness.simulation.machine import Machine, leaving_on_stack

TRIES = 5
APART_NS = 2_000_000_000
MOST_ENTRIES = 64
"""A stack trace with more entries is not trusted."""


@compiled
def version_called(m: Machine) -> int:
    """``kpatch_ftrace_handler``: the function is in the hash, or not: the same for everybody."""
    return int(m.g[codes.KERNEL])


@compiled
def in_the_way(m: Machine, task: int) -> bool:
    """``kpatch_backtrace_address_verify``, for each entry of a task's stack trace."""
    return bool(m.context[task, fields.DEPTH] > 64) or leaving_on_stack(m, task)


@compiled_apart
def check(m: Machine) -> int:
    """``kpatch_verify_activeness_safety``: return 1 when the first task in the way is met."""
    for task in range(m.g[codes.TASKS]):
        if in_the_way(m, task):
            m.context[task, fields.BLOCKED_AT] = m.g[codes.TRIES] + 1
            m.g[codes.CHECKED] = task + 1
            return 1
    m.g[codes.CHECKED] = m.g[codes.TASKS]
    return 0
