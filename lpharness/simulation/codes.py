"""Names for the numbers in the arrays of a simulated machine."""

from __future__ import annotations

# --- what a step of a program does
USER, SYSCALL, SYSRET, ENTER, LEAVE, RUN, SLEEP, BLOCK = range(8)
SAFE, RESCHED, PUT, GET, MAYBE, JUMP, IRET = range(8, 15)

# --- what running a program came to
RUNS, SLEEPS, PARKS, YIELDS, RETURNS = range(5)

# --- events
CPU_END, WAKE, INTERRUPT, IRQ_STEP, STEAL, PARK, RELEASE, WORK, REDIRECT, BEGIN, REVERSE, WALKED = (
    range(12)
)

# --- kinds of contexts, and what they are at
USER_TASK, KTHREAD, IDLE, IRQ = range(4)
READY, SLEEPING, BLOCKED = range(3)

# --- models
IMMEDIATE, KSPLICE, KPATCH, KGRAFT, HYBRID = range(5)
MODELS = ("immediate", "ksplice", "kpatch", "kgraft", "hybrid")

# --- how a transition stands
BEFORE, ONGOING, DONE, FAILED = range(4)

# --- how old and new code can meet, counted from `MIXED` on
STACK, IN_SYSCALL, CROSSED_SYSCALL, IN_KTHREAD, CROSSED_KTHREAD, IN_INTERRUPT, BETWEEN = range(7)
THREADS, CROSSED_THREADS, BOTH_ALIVE = range(7, 10)
MEETINGS = (
    "along one stack",
    "within one syscall, new then old",
    "within one syscall, old then new",
    "within one round of a kthread, new then old",
    "within one round of a kthread, old then new",
    "in an interrupt",
    "between syscalls, new then old",
    "between threads, new to old",
    "between threads, old to new",
    "both alive at one moment",
)

# --- the machine's scalars, `Machine.g`
MODEL, TASKS, CPUS, OUTCOME, BEGAN_AT, ENDED_AT, EVENTS, HEAP = range(8)
TARGET = 8  # the version to which tasks move now
TOWARD = 9  # the version to which they moved at first: a reversal changes TARGET only
KERNEL = 10  # the version that the whole kernel runs, where a model switches the kernel
TRIES, PARKED, STOPPING, STOP_ASKED_AT = range(11, 15)
MAY_SWITCH = 15  # what the check found while the machine was stopped
CHECKED = 16  # how many stacks it looked at
CHECK_COST, CHECK_SEED, CHECK_ODDS = range(17, 20)
TICK, SLICE, PREEMPTIBLE, IPI = range(20, 24)
RESCHED_SWITCHES, REVERSE_AFTER, REDIRECT_COST = range(24, 27)
IRQ_START, IRQ_EVERY, STEAL_EVERY, STEAL_TAKES = range(27, 31)
SYSCALLS_BEFORE, SYSCALLS_DURING = range(31, 33)
ORDER = 33  # events that were ever queued
ALIVE = 34  # two: frames of patched functions on all stacks, old and new
LINGER = 36  # how long the machine is watched after a transition is over
CLOCK_PHASE = 37  # how far the kernel's clock was into a second when the simulation began
GATHER, RESUME, MARK, UNMARK = range(38, 42)  # distributions; -1: takes no time
WALK = 42  # what a look at one task's stack costs a model that stops nothing
WAKES = 43  # whether kGraft wakes who sleeps in a system call
MARKED = 44  # whether kGraft or the hybrid has marked its tasks
WALK_FROM, WALK_TO, WALK_CLEAN = range(45, 48)  # tasks looked at next; nobody was in the way so far
MIXED = 48  # one for each of MEETINGS
SLOT = MIXED + len(MEETINGS)  # up to where the heap has all events; see `events`
LATER = SLOT + 1  # events in the wheel
FREE = SLOT + 2  # the first place for one that is free again; -1 for none
FRESH = SLOT + 3  # the first that was never used
WHEEL = SLOT + 4  # one for each slot: the first event in it; -1 for none
SLOTS = 4096
SCALARS = WHEEL + SLOTS
