"""Counts where old and new code meet.

A *meeting* is counted where a promise of some model is at stake: both versions on one stack; the
other version after the new one has been called (*new then old*), within a syscall, in a later one,
or through a token that another thread takes. The order *old then new* is counted apart: outside one
stack and one syscall, any switch at all has it.
"""

from __future__ import annotations

from lpharness.simulation import codes, fields
from lpharness.simulation.compiled import compiled
from lpharness.simulation.machine import Machine


@compiled
def note_call(m: Machine, context: int, under: int, version: int) -> None:
    """Count what a call of a patched function meets; the frame is not yet on the stack."""
    if other_on_stack(m, context, version):
        m.g[codes.MIXED + codes.STACK] += 1
    if under != context and other_on_stack(m, under, version):
        m.g[codes.MIXED + codes.IN_INTERRUPT] += 1
    if m.g[codes.ALIVE + 1 - version] > 0:
        m.g[codes.MIXED + codes.BOTH_ALIVE] += 1
    if m.context[context, fields.SEEN] == 1 << (1 - version):
        _note_unit(m, context, version)
    m.context[context, fields.SEEN] |= 1 << version
    if version != m.g[codes.TOWARD] and m.context[context, fields.SAW_NEW]:
        m.g[codes.MIXED + codes.BETWEEN] += 1


@compiled
def other_on_stack(m: Machine, context: int, version: int) -> bool:
    """Return whether a patched function's other version is on a context's stack."""
    for level in range(m.context[context, fields.DEPTH]):
        frame = m.context[context, fields.FRAMES + level]
        if m.function[frame >> 1, fields.IN_PATCH] and frame & 1 != version:
            return True
    return False


@compiled
def _note_unit(m: Machine, context: int, version: int) -> None:
    """Count the first time that one syscall, round or interrupt has called both versions."""
    kind = m.context[context, fields.KIND]
    crossed = version == m.g[codes.TOWARD]
    if kind == codes.IRQ:
        m.g[codes.MIXED + codes.IN_INTERRUPT] += 1
    elif kind == codes.KTHREAD:
        m.g[codes.MIXED + (codes.CROSSED_KTHREAD if crossed else codes.IN_KTHREAD)] += 1
    else:
        m.g[codes.MIXED + (codes.CROSSED_SYSCALL if crossed else codes.IN_SYSCALL)] += 1


@compiled
def end_unit(m: Machine, context: int) -> None:
    """A syscall, a round or an interrupt is over."""
    of_task = m.context[context, fields.KIND] != codes.IRQ  # interrupts serve whom they interrupt
    if of_task and m.context[context, fields.SEEN] & (1 << m.g[codes.TOWARD]):
        m.context[context, fields.SAW_NEW] = 1
    m.context[context, fields.SEEN] = 0


@compiled
def put_token(m: Machine, context: int, channel: int) -> None:
    """The patched function on top hands a token to whoever takes it next."""
    version = _innermost(m, context)
    if version >= 0:
        m.channel[channel] = version


@compiled
def take_token(m: Machine, context: int, channel: int) -> None:
    """The patched function on top takes the token; old and new may meet so."""
    version = _innermost(m, context)
    if version < 0 or m.channel[channel] < 0 or m.channel[channel] == version:
        return
    if version == m.g[codes.TOWARD]:
        m.g[codes.MIXED + codes.CROSSED_THREADS] += 1
    else:
        m.g[codes.MIXED + codes.THREADS] += 1


@compiled
def _innermost(m: Machine, context: int) -> int:
    """Return the version of the innermost patched function on a stack; -1 if there is none."""
    for level in range(m.context[context, fields.DEPTH] - 1, -1, -1):
        frame = int(m.context[context, fields.FRAMES + level])
        if m.function[frame >> 1, fields.IN_PATCH]:
            return frame & 1
    return -1
