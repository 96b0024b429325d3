"""Runs a context's program up to where it needs time."""

from __future__ import annotations

from lpharness.simulation import codes, fields, mixing
from lpharness.simulation.compiled import compiled
from lpharness.simulation.draws import draw, duration
from lpharness.simulation.events import push
from lpharness.simulation.machine import Machine
from lpharness.simulation.models import rules


@compiled
def execute(m: Machine, context: int, under: int, now: int) -> int:
    """Run the steps that take no time; return what came of it (`codes.RUNS` and its kin)."""
    while True:
        at = int(m.context[context, fields.PC])
        op, arg = int(m.step[at, fields.OP]), int(m.step[at, fields.ARG])
        m.context[context, fields.PC] = at + 1
        if op in (codes.RUN, codes.USER):
            m.context[context, fields.LEFT] = duration(m, context, arg)
            return codes.RUNS
        if op in (codes.SLEEP, codes.BLOCK):
            _sleep(m, context, op, arg, now)
            return codes.SLEEPS
        if op in (codes.SYSRET, codes.RESCHED):
            _may_be_taken(m, context, op, now)
            wanted = _wanted(m, context)
            if wanted != codes.RUNS:
                return wanted
        elif op == codes.IRET:
            mixing.end_unit(m, context)
            m.context[context, fields.PC] = m.step[at, fields.JUMP]
            return codes.RETURNS
        elif op in (codes.ENTER, codes.LEAVE):
            _call(m, context, under, op, arg)
        else:
            _step(m, context, at, op, arg, now)


@compiled
def _step(m: Machine, context: int, at: int, op: int, arg: int, now: int) -> None:
    if op == codes.SYSCALL:
        m.context[context, fields.IN_KERNEL] = 1
        rules.enters_kernel(m, context, now)
    elif op == codes.MAYBE:
        if draw(m, context) > arg:
            m.context[context, fields.PC] = m.step[at, fields.JUMP]
    elif op == codes.JUMP:
        mixing.end_unit(m, context)
        m.context[context, fields.PC] = m.step[at, fields.JUMP]
    elif op == codes.SAFE:
        mixing.end_unit(m, context)
        rules.is_safe(m, context, now)
    elif op == codes.PUT:
        mixing.put_token(m, context, arg)
    else:
        mixing.take_token(m, context, arg)


@compiled
def _call(m: Machine, context: int, under: int, op: int, function: int) -> None:
    if op == codes.ENTER:
        _enter(m, context, under, function)
    else:
        _leave(m, context)


@compiled
def _may_be_taken(m: Machine, context: int, op: int, now: int) -> None:
    if op == codes.SYSRET:
        _return_to_user(m, context, now)
    else:
        rules.may_reschedule(m, context, now)


@compiled
def _enter(m: Machine, context: int, under: int, function: int) -> None:
    version = 0
    if m.function[function, fields.IN_PATCH]:
        version = rules.version_called(m, function, context, under)
        mixing.note_call(m, context, under, version)
        m.g[codes.ALIVE + version] += 1
    m.context[context, fields.FRAMES + m.context[context, fields.DEPTH]] = 2 * function + version
    m.context[context, fields.DEPTH] += 1


@compiled
def _leave(m: Machine, context: int) -> None:
    m.context[context, fields.DEPTH] -= 1
    frame = int(m.context[context, fields.FRAMES + m.context[context, fields.DEPTH]])
    if m.function[frame >> 1, fields.IN_PATCH]:
        m.g[codes.ALIVE + (frame & 1)] -= 1


@compiled
def _sleep(m: Machine, context: int, op: int, table: int, now: int) -> None:
    at = now + duration(m, context, table)
    m.context[context, fields.STATE] = codes.SLEEPING if op == codes.SLEEP else codes.BLOCKED
    m.context[context, fields.WAKE_AT] = at
    push(m, at, codes.WAKE, context)


@compiled
def _return_to_user(m: Machine, context: int, now: int) -> None:
    mixing.end_unit(m, context)
    m.context[context, fields.IN_KERNEL] = 0
    rules.goes_to_user(m, context, now)
    if m.g[codes.OUTCOME] == codes.BEFORE:
        m.g[codes.SYSCALLS_BEFORE] += 1
    elif m.g[codes.OUTCOME] == codes.ONGOING:
        m.g[codes.SYSCALLS_DURING] += 1


@compiled
def _wanted(m: Machine, task: int) -> int:
    """Return what the CPU should do at a point where it may be taken from a task."""
    cpu = m.context[task, fields.HOME]
    if m.cpu[cpu, fields.STOP_WANTED]:
        return codes.PARKS
    if m.cpu[cpu, fields.HEAD] >= 0 and m.cpu[cpu, fields.USED] >= m.g[codes.SLICE]:
        return codes.YIELDS
    return codes.RUNS
