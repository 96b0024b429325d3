"""Immediate: no consistency at all. A function is redirected, and its next call is new.

Linux 4.0 to 4.11 had only this, and to 4.15 as ``klp_patch.immediate``:
``kernel/livepatch/core.c`` (4.0), ``klp_enable_func`` and ``klp_ftrace_handler``. Functions are
redirected one after the other (``klp_enable_object`` walks them), so that for a moment the patch
is half on.
"""

from __future__ import annotations

from lpharness.simulation import codes, fields
from lpharness.simulation.compiled import compiled, compiled_apart
from lpharness.simulation.events import push
from lpharness.simulation.machine import Machine, finish, move_all


@compiled
def version_called(m: Machine, function: int) -> int:
    """``klp_ftrace_handler``: whatever the top of the function's stack is, for everybody."""
    return int(m.function[function, fields.FUNCTION_VERSION])


@compiled_apart
def begin(m: Machine, now: int) -> None:
    """``klp_enable_object``: begin with the first function."""
    push(m, now, codes.REDIRECT, 0)


@compiled_apart
def redirect(m: Machine, function: int, now: int) -> None:
    """``klp_enable_func``: redirect one function, and go on with the next."""
    while function < len(m.function) and not m.function[function, fields.IN_PATCH]:
        function += 1
    if function == len(m.function):
        move_all(m, now)
        finish(m, codes.DONE, now)
        return
    m.function[function, fields.FUNCTION_VERSION] = m.g[codes.TARGET]
    push(m, now + int(m.g[codes.REDIRECT_COST]), codes.REDIRECT, function + 1)
