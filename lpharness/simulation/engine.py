"""The loop: take the earliest event, let it happen."""

from __future__ import annotations

from lpharness.simulation import codes, cpus, fields, stopping
from lpharness.simulation.compiled import compiled, compiled_apart, compiled_entry
from lpharness.simulation.events import drop_first, none_left, push
from lpharness.simulation.machine import Machine
from lpharness.simulation.models import hybrid, immediate, rules
from lpharness.simulation.waking import wake


@compiled_entry
def run(m: Machine, until: int) -> None:
    """Let the machine live till ``until``, or a while after the transition is over.

    One that was given up ends at once, so that who was in the way still stands there.
    """
    while m.g[codes.OUTCOME] != codes.FAILED and not none_left(m):
        now = int(m.event[0, fields.TIME])
        if m.g[codes.OUTCOME] == codes.DONE:
            until = int(m.g[codes.ENDED_AT] + m.g[codes.LINGER])
        if now > until:
            return
        kind, who = int(m.event[0, fields.KEY]) & 15, int(m.event[0, fields.WHO])
        drop_first(m)
        m.g[codes.EVENTS] += 1
        if kind <= codes.STEAL:
            _machine_event(m, kind, who, now)
        elif kind == codes.BEGIN:
            _begin(m, now)
        elif m.g[codes.OUTCOME] == codes.ONGOING:
            _transition_event(m, kind, who, now)


@compiled
def _machine_event(m: Machine, kind: int, who: int, now: int) -> None:
    if kind == codes.CPU_END:
        cpus.look(m, who, now)
    elif kind == codes.WAKE:
        if m.context[who, fields.WAKE_AT] == now:
            wake(m, who, now)
        else:
            m.g[codes.EVENTS] -= 1  # it was woken before: nothing happens
    elif kind == codes.INTERRUPT:
        cpus.interrupt(m, who, now)
    elif kind == codes.IRQ_STEP:
        cpus.interrupt_step(m, who, now)
    else:
        cpus.steal(m, who, now)


@compiled_apart
def _begin(m: Machine, now: int) -> None:
    m.g[codes.OUTCOME] = codes.ONGOING
    m.g[codes.BEGAN_AT] = now
    if m.g[codes.REVERSE_AFTER] > 0 and m.g[codes.MODEL] == codes.HYBRID:
        push(m, now + int(m.g[codes.REVERSE_AFTER]), codes.REVERSE, 0)
    rules.begin(m, now)


@compiled_apart
def _transition_event(m: Machine, kind: int, who: int, now: int) -> None:
    if kind == codes.WORK:
        if rules.stops_the_machine(m):
            stopping.ask(m, now)
        else:
            rules.work(m, now)
    elif kind == codes.WALKED:
        rules.walked(m, now)
    elif kind == codes.PARK:
        stopping.come(m, who, now)
    elif kind == codes.RELEASE:
        stopping.release(m, now)
    elif kind == codes.REDIRECT:
        immediate.redirect(m, who, now)
    else:
        hybrid.reverse(m, now)
