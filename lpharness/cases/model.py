"""The data of ``case.toml``; ``docs/cases.md`` teaches it.

A case's *states* are names of behaviour: ``original`` before any patch and after the last was
unloaded, ``patched`` while a patch is on. A case with several modules may instead name a state
after a module (``lph_v2``) where its behaviour differs from the first one's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from msgspec import Struct, field

from lpharness.sources.edit import Edit


class Function(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A function the case means to replace; held against what `inspect` reads in the module."""

    old: str
    """Its name; of a system call ``{syscall}umask``, since each architecture has its own name."""
    object: str = "vmlinux"
    sympos: int = 0
    new: str = ""
    interrupts: bool = False
    """Whether interrupts call it, too: then a call need not be the task's that it is seen over."""
    timed: str = ""
    """A file of the guest that says how long calls of it took, beside those of a function that is
    never patched (``patches/contract/timed.h``). They are not counted: a probe costs more."""


class Delta(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True,
            rename={"old": "from", "new": "to"}):  # fmt: skip
    """What changed between two of the archive's source packages: a fix as it was shipped."""

    old: str
    """Version of ``linux-source-*``, for example ``6.1.192-1``."""
    new: str
    files: tuple[str, ...]
    """Paths in the tree, for example ``fs/ext4/mballoc.c``."""
    functions: tuple[str, ...] = ()
    """Take only what changed in these; empty for all."""
    reverse: bool = False
    """Whether it is undone: gives a newer kernel the old flaw back."""


class Built(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What must be true of the built module; patterns are those of ``fnmatch``."""

    objects: tuple[str, ...] = ()
    """Exactly the objects it patches, ``vmlinux`` and modules; empty for any."""
    lacks: tuple[str, ...] = ()
    """Patterns of functions that it must not replace."""
    symbols: tuple[str, ...] = ()
    """Patterns of livepatch symbols, each of which one must match."""
    relocations: tuple[str, ...] = ()
    """Patterns of sections of livepatch relocations, likewise."""
    imports: tuple[str, ...] = ()
    """Patterns of symbols that it needs from the kernel, likewise."""


class ModuleSource(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One livepatch module of the case, in the order in which they are loaded."""

    name: str
    source: str = ""
    """A ``.c`` beside ``case.toml``."""
    patch: str = ""
    """A source diff for the engine."""
    delta: Delta | None = None
    """A source diff that the archive's own packages make."""
    edits: tuple[Edit, ...] = field(default=(), name="edit")
    """A source diff that is written on the tree at hand."""
    prebuilt: str = ""
    """A ``.ko``."""
    builder: Literal["engine", "kpatch", "klp-build"] = "engine"
    """What makes a module of a source diff: the project's engine, or a tool on the user's host."""
    replaces: bool = False
    """Whether it is an atomic replace of all earlier ones."""
    base: bool = False
    """Whether it only gives the kernel the state that the next one, which replaces it, changes."""
    functions: tuple[Function, ...] = field(default=(), name="function")
    built: Built = Built()


class Text(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a stream must look like; every given condition must hold."""

    equals: str | None = None
    """Compared after trailing white space is dropped on both sides."""
    contains: str | None = None
    lacks: str | None = None
    matches: str | None = None
    """A regular expression, searched in the whole text, ``MULTILINE``."""


class Outcome(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a probe must come out in one state."""

    exit: int | None = 0
    """``None`` (``exit = "any"`` in the file) when the exit status doesn't matter."""
    stdout: Text = Text()
    stderr: Text = Text()


class Probe(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A command that makes the change visible, and what it shows in each state."""

    name: str
    run: str
    """A shell command for the guest's ``/bin/sh -c``."""
    states: dict[str, Outcome] = field(name="state")
    """At least ``original`` and ``patched``."""
    timeout_s: float = 10.0

    def outcome(self, state: str) -> Outcome:
        """Return what is due in ``state``; a module's own state falls back to ``patched``."""
        return self.states.get(state) or self.states["patched"]


class Signs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a flaw shows where the patch is not on; every given condition must hold."""

    console: tuple[str, ...] = ()
    """Names of console patterns, one of which must be found; empty for any that is bad."""
    functions: tuple[str, ...] = ()
    """What the finding is about must be one of these functions; empty for any."""
    outcome: Outcome | None = None
    """How the trigger comes out; ``None`` where it may never come back."""

    @property
    def on_console(self) -> bool:
        """Whether the kernel's console must show it."""
        return bool(self.console or self.functions)


class Flaw(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the patch heals: a trigger, how it comes out without the patch, and how with it."""

    run: str
    """A shell command for the guest's ``/bin/sh -c``."""
    unpatched: Signs
    patched: Outcome = Outcome()
    returns: bool = False
    """Whether it must show again once the patch is gone; only where an outcome shows it."""
    timeout_s: float = 30.0


class Stall(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A transition that must not finish until ``release`` is run."""

    comm: str
    """Name of the blocking task, as in ``/proc/PID/comm``."""
    function: str
    """Function that must be on the blocker's stack."""
    release: str
    """Shell command that lets the blocker leave."""
    seconds: float = 3.0
    """How long the stall is watched before the release, in guest seconds."""

    @property
    def kept_comm(self) -> str:
        """As much of the name as the kernel keeps (``TASK_COMM_LEN``)."""
        return self.comm[:15]


class Action(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A step of the case's own in the guest, taken when the trial enters a phase."""

    phase: Literal["baseline", "load", "transition", "steady", "unload", "after"]
    """``load`` is just before a module is loaded, ``transition`` just after, ``unload`` just before
    the patch is disabled."""
    run: str
    """A shell command for the guest's ``/bin/sh -c``."""
    module: str = ""
    """Only where the phase is of this livepatch; empty for each."""
    exit: int | None = 0
    """How it must end; ``None`` (``exit = "any"`` in the file) where that does not matter."""
    background: bool = False
    """Whether the trial goes on without waiting for it; how it ends is not looked at."""
    timeout_s: float = 10.0


class Pace(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long each state is looked at, at least, in seconds beyond what its steps take."""

    baseline_s: float = 0.0
    steady_s: float = 0.0
    after_s: float = 0.0


class Target(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Kernel modules whose functions the case patches."""

    modules: tuple[str, ...]


class Variant(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way to run the case; each is a trial of its own."""

    name: str
    target: Literal["before", "after"] = "before"
    """Whether the target's modules are loaded before or after the livepatch."""


class Drive(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a workload reaches the patched path."""

    run: str = ""
    """Shell command that calls the patched function a few times; used while calls are counted."""
    file: str = ""
    """For ``proc-reader``: the file to read."""
    syscall: str = ""
    """For ``syscall-hammer``: a system call's name, e.g. ``personality``."""
    arguments: tuple[int, ...] = ()
    """For ``syscall-hammer``: its arguments."""
    park: str = ""
    """For ``sleepers``: the system call that tasks are parked in, e.g. ``pause``."""


class Expect(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the trial must come to, where that is not plain success."""

    transition_s: float = 30.0
    """Longest transition in guest seconds that is still fine; see `transition_bound`."""
    slowdown: float = 10.0
    """How many times slower the workload may be with the patch on."""
    stall: Stall | None = None
    refused: str = ""
    """The kind of refusal with which the engine must answer; then nothing is run."""
    xfail: str = ""
    """Why the case is expected to fail; then a failure is ``xfail`` and a pass ``xpass``."""
    force: bool = False
    """Whether the harness may write ``force``; nothing else ever does."""
    taint: int = 32768 | 4096 | 8192
    """Taint bits that the case may add: livepatch, out of tree, unsigned."""
    console: tuple[str, ...] = ()
    """Names of console patterns that are no fault in this case."""

    def transition_bound(self, accelerator: str) -> float:
        """Return the guest seconds that a transition may take under an accelerator.

        The kernel's own timers run alike everywhere, but 6.12 rewrites thousands of call sites at
        each end of a transition (``sched_dynamic_klp_enable``, kernel/sched/core.c) and waits for
        every CPU each time; with all CPUs emulated in one thread that can take most of a minute.
        """
        return self.transition_s * (_EMULATION if accelerator == "tcg" else 1.0)


_EMULATION = 4.0


class Case(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One livepatch under test."""

    title: str
    modules: tuple[ModuleSource, ...] = field(name="module")
    probes: tuple[Probe, ...] = field(default=(), name="probe")
    schema: int = 1
    summary: str = ""
    kernels: tuple[str, ...] = ("debian:*",)
    """Patterns (``fnmatch`` on ``debian:RELEASE`` or on the spec) of kernels it is meant for."""
    architectures: tuple[str, ...] = ()
    """Those it is meant for, by Debian's names; empty: all."""
    image: str = "minimal"
    workloads: tuple[str, ...] = ("idle",)
    """The workloads it makes sense with; the first is the default."""
    guest_modules: tuple[str, ...] = ()
    """Kernel modules to put into the image besides the target's."""
    programs: tuple[str, ...] = ()
    """C files beside ``case.toml``, for the guest: ``x.c`` is called there as ``/case/x``."""
    companions: tuple[str, ...] = ()
    """C files beside ``case.toml``, for the guest's kernel: ``x.c`` is there ``/case/x.ko``."""
    boot_files: bool = False
    """Whether the guest has its kernel's image and its own initramfs in ``/case``."""
    actions: tuple[Action, ...] = field(default=(), name="action")
    pace: Pace = Pace()
    target: Target | None = None
    variants: tuple[Variant, ...] = field(default=(), name="variant")
    drive: Drive = Drive()
    flaw: Flaw | None = None
    expect: Expect = Expect()
    setup: tuple[str, ...] = ()
    """Shell commands run before the baseline."""
    cleanup: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    references: dict[str, str] = field(default_factory=dict)
    """CVE, commit, changelog line: shown in reports."""
    name: str = ""
    """The folder's name; set by the loader, not in the file."""
    folder: Path | None = None
    """Where it was loaded from; set by the loader, not in the file."""

    @property
    def base(self) -> tuple[ModuleSource, ...]:
        """The modules that the kernel is given before what is tried: its patched base."""
        return tuple(module for module in self.modules if module.base)
