"""The kinds of things a trial sees.

Every event is an immutable, tagged `msgspec` struct: one JSON line in ``timeline.jsonl``.
Checks read nothing else of a running guest, so a recorded timeline can be judged again.

Clocks: ``host_ns`` is nanoseconds of the host's ``CLOCK_MONOTONIC`` since the trial began, the
moment the harness *learnt* of the event. ``guest_ns`` is the guest's ``CLOCK_BOOTTIME`` in
nanoseconds, the moment it *happened*, where the guest stamped it. `ClockRead` events tie the two.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from msgspec import Struct, field


class Phase(StrEnum):
    """The chapters of a trial, in order."""

    BUILD = "build"
    CONTROL = "control"
    """In a guest of its own, without the patch: is the flaw real?"""
    BOOT = "boot"
    BASELINE = "baseline"
    LOAD = "load"
    TRANSITION = "transition"
    STEADY = "steady"
    UNLOAD = "unload"
    SELFTEST = "selftest"
    """One of the kernel's own tests runs, instead of load to unload."""
    AFTER = "after"
    END = "end"


class Event(Struct, frozen=True, kw_only=True, tag_field="kind", omit_defaults=True):
    """Base of all events; see the module for the two clocks."""

    host_ns: int
    guest_ns: int | None = None


class PhaseBegan(Event, frozen=True, kw_only=True, tag="phase-began"):
    """A chapter begins; ``module`` names the livepatch that load, transition and steady are of."""

    phase: Phase
    module: str | None = None


class Note(Event, frozen=True, kw_only=True, tag="note"):
    """Something the harness did or decided that a reader should know (a fallback, a skip)."""

    text: str


# --- the guest -----------------------------------------------------------------------------


class GuestStarted(Event, frozen=True, kw_only=True, tag="guest-started"):
    """The guest answers commands. ``seconds`` is host time from the request to the answer."""

    how: Literal["boot", "restore"]
    seconds: float
    accelerator: str
    why: str = ""
    """Why it was booted or restored, for example the reason a restore fell back to a boot."""


class GuestNotified(Event, frozen=True, kw_only=True, tag="guest-notified"):
    """The machine monitor told of an event: QMP's name (``RESET``, ``SHUTDOWN``, …) and data."""

    name: str
    data: str = ""


class GuestEnded(Event, frozen=True, kw_only=True, tag="guest-ended"):
    """The guest is gone; ``condition`` is a `lpharness.guests.contract.Condition` value."""

    condition: str
    detail: str = ""


class ClockRead(Event, frozen=True, kw_only=True, tag="clock-read"):
    """The guest's clock was ``guest_ns`` at ``host_ns``, to ± ``uncertainty_ns``."""

    uncertainty_ns: int


class Vitals(Event, frozen=True, kw_only=True, tag="vitals"):
    """Signs of one unbroken life of the guest's kernel and of a process in it."""

    boot_id: str
    uptime_ns: int
    taint: int
    """``/proc/sys/kernel/tainted``."""
    witness_pid: int | None
    """A process started before the patch; ``None`` when it is gone."""
    witness_start_ticks: int | None
    """Field 22 of its ``/proc/PID/stat``: tells the same process from one with its number."""
    connection_alive: bool | None
    """A TCP connection opened before the patch still echoes; ``None`` if it was never opened."""
    modules: tuple[str, ...]
    """``/proc/modules``, names only."""
    connection_detail: str = ""
    files: int | None = None
    """Open files of all processes, ``/proc/sys/fs/file-nr``."""
    tasks: int | None = None
    """Tasks there are, the second number in ``/proc/loadavg``'s fourth field."""
    slab_kb: int | None = None
    """Memory in slabs that cannot be reclaimed, ``SUnreclaim`` of ``/proc/meminfo``."""


# --- the livepatch -------------------------------------------------------------------------


class ModuleLoadTried(Event, frozen=True, kw_only=True, tag="module-load-tried"):
    """``finit_module`` returned. ``errno`` is 0 or the positive error number."""

    module: str
    errno: int
    seconds: float
    detail: str = ""


class LeftInside(Struct, frozen=True):
    """A task that sleeps below code of a module that is no longer there."""

    pid: int
    comm: str
    frame: str
    """Where in that code, ``FUNCTION+OFFSET/SIZE``."""


class ModuleUnloadTried(Event, frozen=True, kw_only=True, tag="module-unload-tried"):
    """``delete_module`` returned; ``waited_s`` is how long the reference count took to drop."""

    module: str
    errno: int
    seconds: float
    waited_s: float = 0.0
    detail: str = ""
    inside: tuple[LeftInside, ...] = ()
    """Who was still in its code just after it was gone, and will crash on the way back."""


class ObjectState(Struct, frozen=True):
    """One ``<object>`` folder of a patch in sysfs."""

    patched: bool | None
    """The ``patched`` attribute; ``None`` on kernels without it."""
    functions: tuple[str, ...]
    """Names of the function folders, ``NAME,SYMPOS``."""


class PatchSysfs(Event, frozen=True, kw_only=True, tag="patch-sysfs"):
    """``/sys/kernel/livepatch/<patch>`` as it stood; ``present`` false when it is not there."""

    patch: str
    present: bool
    enabled: bool | None = None
    transition: bool | None = None
    objects: dict[str, ObjectState] = field(default_factory=dict)
    refcount: int | None = None
    """``/sys/module/<patch>/refcnt``; ``None`` when the module is not loaded."""


class TransitionMarked(Event, frozen=True, kw_only=True, tag="transition-marked"):
    """The kernel said where a transition stands; ``guest_ns`` is the kernel's own stamp."""

    patch: str
    mark: Literal["began", "reversed", "completed", "forced", "abandoned"]
    direction: Literal["patching", "unpatching"]
    source: Literal["kmsg", "tracing", "sysfs"]


class TaskMoved(Event, frozen=True, kw_only=True, tag="task-moved"):
    """A task's ``patch_state`` became ``to``: at ``guest_ns`` at the latest."""

    patch: str
    pid: int
    comm: str
    to: Literal[0, 1]
    kthread: bool
    not_before_ns: int | None = None
    """Guest time at which it was last seen in the other state; ``None`` if traced exactly."""


class Blocker(Struct, frozen=True):
    """A task that has not moved yet, and why it may not."""

    pid: int
    comm: str
    kthread: bool
    state: str
    """The letter of ``/proc/PID/stat``."""
    stack: tuple[str, ...]
    """``/proc/PID/stack``, function+offset, innermost first."""


class TasksSampled(Event, frozen=True, kw_only=True, tag="tasks-sampled"):
    """How many tasks were in which ``patch_state`` (-1, 0, 1), and who lagged behind."""

    patch: str
    target: Literal[0, 1]
    idle: int
    unpatched: int
    patched: int
    blockers: tuple[Blocker, ...] = ()


class ModelTried(Event, frozen=True, kw_only=True, tag="model-tried"):
    """Another model than the kernel's looked at all tasks, by its own account.

    ``guest_ns`` is when the look was over. It is told after the transition.
    """

    patch: str
    target: Literal[0, 1]
    began_ns: int
    stop_began_ns: int = 0
    """Since when all other CPUs stood still; 0 where none had to."""
    stop_ended_ns: int = 0
    tasks: int
    frames: int
    """Entries of stack traces that were looked at, or words of stacks."""
    blocked: int
    """Tasks in the way; a model may stop counting at the first."""
    blockers: tuple[Blocker, ...] = ()
    reasons: tuple[str, ...] = ()
    """For each of them the patched function on its stack, or what else is in the way."""


class ModelMoved(Event, frozen=True, kw_only=True, tag="model-moved"):
    """A task went over under a model that moves them one by one, by its own account."""

    patch: str
    pid: int
    comm: str
    kthread: bool
    where: str
    """``border``, ``idle``, ``safe point``, ``waiting`` or ``exit``."""


class EnabledFunction(Struct, frozen=True):
    """One line of tracefs ``enabled_functions``."""

    name: str
    ip_modify: bool
    handlers: tuple[str, ...]
    """Callback symbols named on the line; empty when several users hide behind one trampoline."""
    line: str


class EnabledFunctions(Event, frozen=True, kw_only=True, tag="enabled-functions"):
    """The lines of ``enabled_functions`` that are about the case's functions."""

    functions: tuple[EnabledFunction, ...]


class FunctionBytes(Event, frozen=True, kw_only=True, tag="function-bytes"):
    """The first bytes of a function as they stand in the kernel's memory (``/proc/kcore``)."""

    object: str
    function: str
    sympos: int
    hex: str
    """Empty when they could not be read; then ``detail`` says why."""
    detail: str = ""


class ShadowVariables(Event, frozen=True, kw_only=True, tag="shadow-variables"):
    """The livepatch shadow variables that there are: their ids, in hexadecimal."""

    ids: tuple[str, ...]
    detail: str = ""
    """Why they could not be read, if they could not."""


class CallsCounted(Event, frozen=True, kw_only=True, tag="calls-counted"):
    """Entries into a function's *body* during a window, counted by kprobes past its ftrace site.

    ``side`` old is the kernel's function, new the patch's. ``missed`` are kprobe misses.
    """

    module: str
    function: str
    side: Literal["old", "new"]
    hits: int
    missed: int
    window_ns: int
    driven: bool
    """Whether something was made to call the function during the window."""


class CallSeen(Event, frozen=True, kw_only=True, tag="call-seen"):
    """One entry into a function's body during a transition (a sample: see `CallsLost`)."""

    module: str
    function: str
    side: Literal["old", "new"]
    pid: int
    comm: str


class CallsLost(Event, frozen=True, kw_only=True, tag="calls-lost"):
    """The trace ring overran: this many calls of the transition were not seen."""

    count: int


class TracingUnavailable(Event, frozen=True, kw_only=True, tag="tracing-unavailable"):
    """Calls of a function could not be counted; ``reason`` is the kernel's answer."""

    function: str
    side: Literal["old", "new"]
    reason: str


class CallBurst(Struct, frozen=True, array_like=True):
    """Calls in a row of a patched function, and of one that is never patched, in nanoseconds."""

    at_ns: int
    """Guest time."""
    clock_ns: int
    """What it takes to read the clock, which both of the next have in them."""
    timed_ns: int
    twin_ns: int


class CallsTimed(Event, frozen=True, kw_only=True, tag="calls-timed"):
    """How long calls of a function took all through the trial, as the case itself timed them."""

    module: str
    function: str
    calls: int
    """In each burst, of either function."""
    bursts: tuple[CallBurst, ...]
    """In order."""


# --- what the case asks --------------------------------------------------------------------


class Probed(Event, frozen=True, kw_only=True, tag="probed"):
    """A probe of the case was run. ``state`` is the behaviour that is due: see `Case.probes`."""

    probe: str
    state: str
    exit_status: int
    stdout: str
    stderr: str
    seconds: float


class FlawTried(Event, frozen=True, kw_only=True, tag="flaw-tried"):
    """The trigger of the case's flaw was run."""

    patched: bool
    """Whether the patch was on."""
    console_lines: int
    """Lines of the console before it was run: what it caused comes after them."""
    exit_status: int | None
    """``None`` if it never came back; then ``detail`` says why nobody waits for it any more."""
    stdout: str
    stderr: str
    seconds: float
    detail: str = ""


class ActionTaken(Event, frozen=True, kw_only=True, tag="action-taken"):
    """A step of the case's own was run in the guest (setup, target load, release, cleanup)."""

    action: str
    exit_status: int
    began_ns: int | None = None
    """The guest's clock when the step began; ``guest_ns`` is when it had ended."""
    wanted: int | None = 0
    """The exit status that it must have; ``None`` where that does not matter."""
    detail: str = ""


# --- the kernel's own tests -----------------------------------------------------------------


class SelftestSaid(Event, frozen=True, kw_only=True, tag="selftest-said"):
    """A line of a selftest's output, as kselftest's runner wrote it."""

    line: str


class SelftestEnded(Event, frozen=True, kw_only=True, tag="selftest-ended"):
    """kselftest's runner ended, or was given up; ``detail`` is what it wrote to stderr, or why."""

    exit_status: int | None
    """``None`` when it had to be abandoned."""
    seconds: float
    detail: str = ""


# --- load ----------------------------------------------------------------------------------


class WorkloadBegan(Event, frozen=True, kw_only=True, tag="workload-began"):
    """A workload's workers run."""

    workload: str
    workers: int


class WorkloadSample(Event, frozen=True, kw_only=True, tag="workload-sample"):
    """One report of one worker. Counts run from the workload's start."""

    workload: str
    worker: int
    operations: int
    errors: int
    longest_gap_ns: int
    """Longest time between two operations of this worker since its previous report."""


class WorkloadEnded(Event, frozen=True, kw_only=True, tag="workload-ended"):
    """A workload ended, as asked or not; ``exit_status`` -1 when it had to be abandoned."""

    workload: str
    exit_status: int
    asked: bool
    detail: str = ""


class CpuBeats(Struct, frozen=True, array_like=True):
    """The heartbeat of one CPU since the report before."""

    cpu: int
    beats: int
    """Since the start."""
    longest_gap_ns: int
    """Between two beats; one that is still open counts as far as it has come."""
    gap_ended_ns: int
    """Guest time."""
    away: bool = False
    """Whether it beats on another CPU, since its own is offline."""


class HeartbeatBegan(Event, frozen=True, kw_only=True, tag="heartbeat-began"):
    """A real-time process on each CPU begins to sleep for ``period_ns`` again and again."""

    cpus: tuple[int, ...]
    period_ns: int
    checks_itself: bool = False
    """Whether the kernel has KASAN, lockdep or kmemleak, which cost a multiple."""
    rewrites_calls: bool = False
    """Whether each end of a transition rewrites thousands of the kernel's calls (since 6.3)."""
    hands_over: bool = False
    """Whether an emulated CPU that another one called hands over once it has answered
    (``images/modules/lph_handover.c``); rewriting calls takes a minute where none does."""


class Heartbeat(Event, frozen=True, kw_only=True, tag="heartbeat"):
    """A report of the heartbeats of all CPUs, by whichever beat first when it was due."""

    cpus: tuple[CpuBeats, ...]


class BeatsBegan(Event, frozen=True, kw_only=True, tag="beats-began"):
    """A timer interrupt of the kernel's comes on each CPU each ``period_ns`` (``lph_beats``)."""

    period_ns: int
    kept_ns: int
    """Gaps of at least so much are kept one by one."""
    cost_ns: int = 0
    """What a beat was measured to take from its CPU; 0 where it was not measured in this guest."""
    chosen: str = ""
    """Why this period: ``default``, ``measured`` in this guest, or ``remembered`` of another."""


class BeatGap(Struct, frozen=True, array_like=True):
    """A stretch in which a CPU did no task's work, by the heartbeats in the kernel.

    It took no interrupts, the host ran others, or its stopper thread had it.
    """

    ended_ns: int
    """Guest time, as of all that follows."""
    length_ns: int
    """From a beat to a beat: up to a period more than the stretch itself at each end."""
    deaf_ns: int
    """The longest part of it without any interrupt."""


class BeatsRead(Event, frozen=True, kw_only=True, tag="beats-read"):
    """What the heart of one CPU did since it was read before, or since it began."""

    cpu: int
    beats: int
    gaps: tuple[BeatGap, ...] = ()
    """In order."""
    lost: int = 0
    """Gaps for which there was no place any more: the oldest."""
    counts: dict[int, int] = field(default_factory=dict)
    """Of all gaps between two beats: how many had a length of so many bits, in nanoseconds."""


class HostShare(Event, frozen=True, kw_only=True, tag="host-share"):
    """What the host's scheduler has done with the guest's threads, up to ``host_ns``.

    Both count from the first look. What is left out between two of these was even.
    """

    run_ns: int
    waited_ns: int


# --- the console ---------------------------------------------------------------------------


class ConsoleFound(Event, frozen=True, kw_only=True, tag="console-found"):
    """The classifier recognised something on the kernel's console."""

    name: str
    """The pattern's name, for example ``oops`` or ``livepatch-complete``."""
    severity: str
    """``fatal``, ``bad``, ``odd`` or ``expected``: see ``lpharness/console/patterns.toml``."""
    line: int
    """1-based line of ``console.log``."""
    text: str


class Leak(Struct, frozen=True, kw_only=True):
    """Memory that nothing in the kernel points to any more, as kmemleak reports it."""

    address: str
    bytes: int
    comm: str
    pid: int
    allocated_ns: int
    """When, by the guest's clock."""
    stack: tuple[str, ...]
    """Who allocated it, ``function+offset/size [module]``, innermost first."""


class LeaksScanned(Event, frozen=True, kw_only=True, tag="leaks-scanned"):
    """kmemleak went through the kernel's memory: what it holds to be lost."""

    leaks: tuple[Leak, ...] = ()
    more: int = 0
    """Leaks beyond those that are kept here."""
    detail: str = ""
    """Why there was no scan, if there was none."""


class SourcePlaces(Event, frozen=True, kw_only=True, tag="source-places"):
    """Where in the source the frames of the console's and kmemleak's stacks are."""

    places: dict[str, str]
    """``function+offset/size [module]`` to ``file:line``."""
    detail: str = ""
    """Which of them could not be looked up, and why."""


AnyEvent = (
    PhaseBegan
    | Note
    | GuestStarted
    | GuestNotified
    | GuestEnded
    | ClockRead
    | Vitals
    | ModuleLoadTried
    | ModuleUnloadTried
    | PatchSysfs
    | TransitionMarked
    | TaskMoved
    | TasksSampled
    | ModelTried
    | ModelMoved
    | EnabledFunctions
    | FunctionBytes
    | ShadowVariables
    | CallsCounted
    | CallSeen
    | CallsLost
    | CallsTimed
    | TracingUnavailable
    | Probed
    | FlawTried
    | ActionTaken
    | SelftestSaid
    | SelftestEnded
    | WorkloadBegan
    | WorkloadSample
    | WorkloadEnded
    | HeartbeatBegan
    | Heartbeat
    | BeatsBegan
    | BeatsRead
    | HostShare
    | ConsoleFound
    | LeaksScanned
    | SourcePlaces
)
"""Any event, for decoding a line of ``timeline.jsonl``."""
