"""The state of a simulated machine: arrays, one entry for each context or CPU.

A *context* is what can have a stack: first all tasks, then each CPU's idle task, then each CPU's
interrupts. A frame is twice the function's number, plus its version (0 old, 1 new).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lpharness.simulation import codes, fields
from lpharness.simulation.compiled import compiled, compiled_apart

Array = NDArray[np.int64]
"""Of integers; of how many bits is the machine's business."""

MOST_TRIES = 5
"""Both Ksplice and kpatch try five times."""


class Machine(NamedTuple):
    """See the module; times are nanoseconds since the simulation began, columns are in `fields`.

    A few wide tables, not many narrow ones: what belongs to one context lies together in memory,
    and compiled functions hand few arrays to each other.
    """

    g: Array
    """Scalars, see `codes`."""
    context: Array
    cpu: Array
    step: Array
    function: Array
    event: Array
    """The queue: in the first half a heap, in the second what comes later; see `events`."""
    quantiles: Array
    """One row for each distribution."""
    channel: Array
    """The version of the token that lies in each; -1 for none."""
    tries: Array
    """Of each try: asked at, all stopped at, released at, tasks in the way, stacks looked at."""
    stop_ns: Array
    """How long each CPU stood still, for each try."""


@compiled
def move(m: Machine, context: int, now: int) -> None:
    """Let a context call the version that is due."""
    if m.context[context, fields.VERSION] != m.g[codes.TARGET]:
        m.context[context, fields.VERSION] = m.g[codes.TARGET]
        m.context[context, fields.MOVED_AT] = now


@compiled_apart
def move_all(m: Machine, now: int) -> None:
    """Let every context call the version that is due."""
    m.g[codes.KERNEL] = m.g[codes.TARGET]
    for context in range(len(m.context)):
        move(m, context, now)


@compiled_apart
def finish(m: Machine, outcome: int, now: int) -> None:
    """End the transition."""
    m.g[codes.OUTCOME] = outcome
    m.g[codes.ENDED_AT] = now


@compiled
def leaving_on_stack(m: Machine, context: int) -> bool:
    """Return whether a function that is to be left is on a context's stack."""
    leaving = 1 - m.g[codes.TARGET]
    for level in range(m.context[context, fields.DEPTH]):
        frame = m.context[context, fields.FRAMES + level]
        if m.function[frame >> 1, fields.IN_PATCH] and frame & 1 == leaving:
            return True
    return False


@compiled
def idle_of(m: Machine, cpu: int) -> int:
    """Return the context of a CPU's idle task."""
    return int(m.g[codes.TASKS]) + cpu


@compiled
def irq_of(m: Machine, cpu: int) -> int:
    """Return the context of a CPU's interrupts."""
    return int(m.g[codes.TASKS] + m.g[codes.CPUS]) + cpu
