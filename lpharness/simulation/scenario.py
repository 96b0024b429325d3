"""A scenario: a machine, what runs on it, and the patch; in TOML, see docs/simulation.md."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct, field

from lpharness.base.errors import InputError

_BUNDLED = Path(__file__).parent / "scenarios"


class Kernel(Struct, forbid_unknown_fields=True, frozen=True):
    """What the kernel does that a model depends on."""

    preemption: Literal["voluntary", "full"] = "voluntary"
    tick: str = "4ms"
    slice: str = "4ms"
    """How long a task may run while another one waits."""
    resched_switches: bool = True
    """Whether ``cond_resched`` moves a task to the new code (6.12), or not (6.1)."""
    deepest_stack: int = 96
    kgraft_wakes: bool = False
    """Whether kGraft, at each look, wakes who sleeps in a system call (later versions did)."""
    clock_phase: str = ""
    """How far the kernel's clock is into a second when the patch comes; empty: by the seed."""


class Interrupts(Struct, forbid_unknown_fields=True, frozen=True):
    """What interrupts each CPU."""

    every: str
    program: str


class Steal(Struct, forbid_unknown_fields=True, frozen=True):
    """When the hypervisor takes a CPU away, and for how long."""

    every: str
    takes: str


class Costs(Struct, forbid_unknown_fields=True, frozen=True):
    """What a model's own work costs; see docs/simulation.md for where the defaults come from."""

    ipi: str = "5us"
    stack_word_scan: str = "300ns"
    """Of one task's stack, word by word (Ksplice)."""
    stack_trace: str = "1us"
    """Of one task (kpatch)."""
    gather: str = ""
    """Until every CPU has been asked to stop: a distribution, drawn for each stop (Ksplice,
    kpatch). Empty, here and below: no time."""
    resume: str = ""
    """From the end of a stop until who asked for it goes on, so (Ksplice, kpatch)."""
    mark: str = ""
    """Until every task is marked, a distribution (kGraft, hybrid)."""
    unmark: str = ""
    """From the last look until all is as before, so (kGraft)."""
    walk: str = "0us"
    """Of one task's stack, while the machine runs (hybrid)."""
    redirect: str = "1ms"
    """Of one function, where functions are redirected one after the other (immediate)."""
    dead_words: float = 0.1
    """How likely a stack still holds a dead word of a patched function that has returned."""


class Machine(Struct, forbid_unknown_fields=True, frozen=True):
    """The simulated computer."""

    cpus: int = 4
    kernel: Kernel = Kernel()
    interrupts: Interrupts | None = None
    steal: Steal | None = None
    costs: Costs = Costs()


class Patch(Struct, forbid_unknown_fields=True, frozen=True):
    """Which functions change, and which way."""

    functions: list[str]
    direction: Literal["patching", "unpatching"] = "patching"
    reverse_after: str | None = None
    """Reverse the transition after so long; only the hybrid can."""


class Tasks(Struct, forbid_unknown_fields=True, frozen=True):
    """Tasks that all run one program."""

    name: str
    count: int
    program: str
    kind: Literal["user", "kthread"] = "user"
    start: str = ""
    """When they begin, all of them; empty: spread over the time before the patch."""


class Fleet(Struct, forbid_unknown_fields=True, frozen=True):
    """Many such machines, patched in waves."""

    waves: list[int]
    """Machines of each."""
    watch: str = "10min"
    """How long a wave is watched before the next begins."""
    stop_at: float = 0.05
    """The share of a wave that may stall; if more do, no further wave begins."""
    reboot: str = "3min"
    """How long a machine is down that is rebooted instead."""
    samples: int = 40
    """Transitions that are simulated, for machines to be drawn from."""


class Scenario(Struct, forbid_unknown_fields=True, frozen=True):
    """All that a simulation is given besides the model and the seed."""

    name: str
    patch: Patch
    tasks: list[Tasks]
    about: str = ""
    machine: Machine = Machine()
    fleet: Fleet | None = None
    settle: str = "1s"
    """How long the machine runs before the patch comes; tasks start spread over that time."""
    limit: str = "60s"
    """How long a transition is waited for."""
    linger: str = "500ms"
    """How long the machine is watched after it, for old and new code that still meet."""
    distributions: dict[str, list[str]] = field(default_factory=dict)
    """Named ones: durations at equally spaced quantiles, from the least to the most."""


def bundled() -> list[str]:
    """Return the names of the scenarios that come with lpharness."""
    return sorted(path.stem for path in _BUNDLED.glob("*.toml"))


def load(name: str) -> Scenario:
    """Read a scenario: a file's path, or the name of a bundled one.

    Raises:
        InputError: there is none, or it is not one.
    """
    path = Path(name)
    if path.suffix != ".toml" and name in bundled():
        path = _BUNDLED / f"{name}.toml"
    try:
        return decode(path.read_text(), str(path))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise InputError(
            f"cannot read the scenario {name}: {reason}",
            hint=f"a TOML file, or one of {', '.join(bundled())}",
        ) from None


def decode(text: str, where: str) -> Scenario:
    """Return the scenario that a text describes.

    Raises:
        InputError: it describes none.
    """
    try:
        return msgspec.convert(tomllib.loads(text), Scenario)
    except (tomllib.TOMLDecodeError, RecursionError, msgspec.ValidationError) as error:
        raise InputError(f"{where}: {error}", hint="docs/simulation.md shows every key") from None
