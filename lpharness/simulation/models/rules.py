"""Asks the model in use: what is called, and what happens at each place where a model may act."""

from __future__ import annotations

from lpharness.simulation import codes
from lpharness.simulation.compiled import compiled
from lpharness.simulation.events import push
from lpharness.simulation.machine import Machine
from lpharness.simulation.models import hybrid, immediate, kgraft, kpatch, ksplice


@compiled
def version_called(m: Machine, function: int, context: int, under: int) -> int:
    """Return which version a call runs; ``under`` is whom an interrupt interrupts, else itself."""
    model = m.g[codes.MODEL]
    if model == codes.IMMEDIATE:
        return immediate.version_called(m, function)
    if model == codes.KSPLICE:
        return ksplice.version_called(m)
    if model == codes.KPATCH:
        return kpatch.version_called(m)
    if model == codes.KGRAFT:
        return kgraft.version_called(m, context)
    return hybrid.version_called(m, under)


@compiled
def begin(m: Machine, now: int) -> None:
    """Enable the patch, or disable it."""
    model = m.g[codes.MODEL]
    if model == codes.IMMEDIATE:
        immediate.begin(m, now)
    elif model == codes.KGRAFT:
        kgraft.begin(m, now)
    elif model == codes.HYBRID:
        hybrid.begin(m, now)
    else:
        push(m, now, codes.WORK, 0)


@compiled
def stops_the_machine(m: Machine) -> bool:
    """Return whether the model's work is done while every CPU stands still."""
    return bool(m.g[codes.MODEL] == codes.KSPLICE or m.g[codes.MODEL] == codes.KPATCH)


@compiled
def work(m: Machine, now: int) -> None:
    """Do what a model that does not stop the machine does again and again."""
    if m.g[codes.MODEL] == codes.KGRAFT:
        kgraft.work(m, now)
    else:
        hybrid.work(m, now)


@compiled
def walked(m: Machine, now: int) -> None:
    """Go on after work that took time: marking all tasks, or looking at some."""
    if m.g[codes.MODEL] == codes.KGRAFT:
        kgraft.mark_all(m, now)
    else:
        hybrid.walked(m, now)


@compiled
def check(m: Machine) -> int:
    """Look at all stacks of the stopped machine; return how many tasks were found in the way."""
    if m.g[codes.MODEL] == codes.KSPLICE:
        return ksplice.check(m)
    return kpatch.check(m)


@compiled
def apart_ns(m: Machine) -> int:
    """Return how long a model that stops the machine waits before it tries again."""
    return 1_000_000_000 if m.g[codes.MODEL] == codes.KSPLICE else 2_000_000_000


@compiled
def enters_kernel(m: Machine, task: int, now: int) -> None:
    """Tell of a task that enters the kernel."""
    if m.g[codes.OUTCOME] == codes.ONGOING and m.g[codes.MODEL] == codes.KGRAFT:
        kgraft.at_safe_point(m, task, now)


@compiled
def goes_to_user(m: Machine, task: int, now: int) -> None:
    """Tell of a task that leaves the kernel, after a system call or an interrupt."""
    if m.g[codes.OUTCOME] != codes.ONGOING:
        return
    if m.g[codes.MODEL] == codes.KGRAFT:
        kgraft.at_safe_point(m, task, now)
    elif m.g[codes.MODEL] == codes.HYBRID:
        hybrid.exit_to_user(m, task, now)


@compiled
def is_safe(m: Machine, task: int, now: int) -> None:
    """Tell of a kthread that passes one of its annotated points."""
    if m.g[codes.OUTCOME] == codes.ONGOING and m.g[codes.MODEL] == codes.KGRAFT:
        kgraft.at_safe_point(m, task, now)


@compiled
def may_reschedule(m: Machine, task: int, now: int) -> None:
    """Tell of a task that calls ``cond_resched``."""
    if m.g[codes.OUTCOME] == codes.ONGOING and m.g[codes.MODEL] == codes.HYBRID:
        hybrid.cond_resched(m, task, now)


@compiled
def schedules(m: Machine, cpu: int) -> None:
    """Tell of a CPU that could run a worker now."""
    if m.g[codes.OUTCOME] == codes.ONGOING and m.g[codes.MODEL] == codes.KGRAFT:
        kgraft.in_process_context(m, cpu)


@compiled
def idles(m: Machine, cpu: int, now: int) -> None:
    """Tell of a CPU that has nothing to run."""
    if m.g[codes.OUTCOME] != codes.ONGOING:
        return
    if m.g[codes.MODEL] == codes.HYBRID:
        hybrid.idle_loop(m, cpu, now)
    elif m.g[codes.MODEL] == codes.KGRAFT:
        kgraft.in_process_context(m, cpu)
