"""One test's guest, and what a test does with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from lpharness.base.deadline import Deadline
from lpharness.base.errors import DeadlineExpired, InputError
from lpharness.cases import load
from lpharness.cases.model import Case, Drive, ModuleSource, Outcome, Probe
from lpharness.engine.build import Module, build_module
from lpharness.engine.listening import ConsoleListener, MonitorListener
from lpharness.engine.livepatch import LivepatchControl
from lpharness.engine.watcher import Watcher
from lpharness.guests.contract import CommandResult, Guest, Transport
from lpharness.guests.slowness import slowness
from lpharness.timeline.events import (
    Blocker,
    ConsoleFound,
    ModuleLoadTried,
    TaskMoved,
    TasksSampled,
    TransitionMarked,
    WorkloadSample,
)
from lpharness.timeline.recorder import Recorder
from lpharness.trial.programs import build_programs, put_programs
from lpharness.workloads import find as find_workload
from lpharness.workloads.files import gather_files, put_files
from lpharness.workloads.runner import RunningWorkload

_SHOWN_LINES = 80
_FAULTS = ("fatal", "bad")
_CHATTER = (TaskMoved, WorkloadSample)
"""Of these there are hundreds; what they amount to is in the others."""


class Session:
    """A guest with its timeline; what the ``guest`` fixture hands to a test."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest
        self.recorder = Recorder()
        self.expected: set[str] = set()
        """Names of console patterns that are no fault in this test."""
        self._console = ConsoleListener(guest, self.recorder)
        self._monitor = MonitorListener(guest, self.recorder)
        self._watcher: Watcher | None = None
        self._told = 0
        self._slowness = slowness(guest)

    @property
    def transport(self) -> Transport:
        """The guest's channel, for what `run` does not do."""
        return self.guest.transport

    @property
    def console(self) -> str:
        """What the kernel's console said so far."""
        return "\n".join(line.text for line in self.guest.console)

    def run(self, command: str, *, timeout: float = 6.0, stdin: bytes = b"") -> CommandResult:
        """Run a shell command.

        ``timeout`` is in seconds of a machine with KVM; under TCG ten times that is allowed.
        """
        return self.transport.run(command, stdin=stdin, deadline=self._bound(timeout))

    def put(self, content: bytes | Path, path: str, *, mode: int = 0o644) -> None:
        """Write a file in the guest."""
        self.transport.put(content, path, mode=mode, deadline=self._bound(6))

    def get(self, path: str) -> bytes:
        """Read a file of the guest."""
        return self.transport.get(path, deadline=self._bound(6))

    @contextmanager
    def livepatch(self, source: str | Path, *, transition_s: float = 30.0) -> Iterator[Patch]:
        """Build, load and wait; at the end of the ``with`` block disable, wait and unload.

        Args:
            source: a bundled case's name, a case's folder, a ``.c``, or a ``.ko``.
            transition_s: the longest that each transition may take, in guest seconds.

        Raises:
            InputError, BuildError: it is no livepatch for this kernel.
            AssertionError: the kernel refused it, a transition did not end, or it did not unload.
        """
        case, arch = _as_case(source), self.guest.spec.kernel.arch
        put_programs(build_programs(case, arch), self.transport, self._bound(6))
        control = LivepatchControl(self.guest, self._watch(), self.recorder)
        loaded: list[Patch] = []
        for module in build_modules(case, self.guest):
            control.upload(module.name, module.path, self._bound(6))
            errno = control.load(module.name, self._bound(10))
            if errno:
                tried = self.recorder.last(ModuleLoadTried)
                raise AssertionError(f"{module.name} did not load: {tried and tried.detail}")
            patch = Patch(module, control, self, transition_s)
            patch.await_transition("patching")
            loaded.append(patch)
        yield loaded[-1]
        loaded[-1].disable()
        for patch in reversed(loaded):
            patch.unload()

    @contextmanager
    def workload(self, name: str, **drive: Any) -> Iterator[Load]:
        """Keep the guest busy during the ``with`` block; errors of the load fail the test.

        Args:
            name: a workload of the catalogue.
            drive: keys of a case's ``[drive]``, for example ``syscall="personality"``.

        Raises:
            InputError: there is no such workload or key, or the workload needs another one.
        """
        found = find_workload(name)
        put_files(gather_files(found, self.guest.spec.kernel), self.transport, self._bound(20))
        running = RunningWorkload(self.guest, found, _as_drive(drive), self.recorder)
        running.await_start(self._bound(6 + 10 * found.round_s))
        load_ = Load(self.recorder)
        yield load_
        running.stop(self._bound(6))
        assert load_.errors == 0, f"workload {name} saw {load_.errors} errors"

    def faults(self) -> list[str]:
        """Return what the console told that no test should overlook."""
        return [
            f"{event.name}: {event.text}"
            for event in list(self.recorder.events)
            if isinstance(event, ConsoleFound)
            and event.severity in _FAULTS
            and event.name not in self.expected
        ]

    def new_faults(self) -> list[str]:
        """Return the faults that were not returned before."""
        faults = self.faults()
        new, self._told = faults[self._told :], len(faults)
        return new

    def sections(self) -> list[tuple[str, str]]:
        """Return what a failing test's report should show."""
        lines = [line.text for line in self.guest.console][-_SHOWN_LINES:]
        events = [
            msgspec.json.encode(event).decode()
            for event in list(self.recorder.events)
            if not isinstance(event, _CHATTER)
        ]
        return [
            ("guest console", "\n".join(lines)),
            ("guest timeline", "\n".join(events[-_SHOWN_LINES:])),
        ]

    def close(self) -> None:
        """Let go of what was started beside the test's own commands."""
        self._console.close()
        self._monitor.close()

    def _watch(self) -> Watcher:
        if self._watcher is None:
            self._watcher = Watcher(self.guest, self.recorder)
            self._watcher.await_ready(self._bound(6))
        return self._watcher

    def _bound(self, seconds: float) -> Deadline:
        return Deadline.after(seconds * self._slowness)


class Patch:
    """A livepatch that is on."""

    def __init__(
        self, module: Module, control: LivepatchControl, session: Session, transition_s: float
    ) -> None:
        self.module = module
        self._control = control
        self._session = session
        self._transition_s = transition_s
        self._disabled = False

    @property
    def transition_seconds(self) -> float:
        """How long its last transition took, by the guest's clock."""
        marks = [
            event
            for event in self._session.recorder.events
            if isinstance(event, TransitionMarked) and event.patch == self.module.name
        ]
        began = [m.guest_ns for m in marks if m.mark == "began" and m.guest_ns is not None]
        ended = [m.guest_ns for m in marks if m.mark == "completed" and m.guest_ns is not None]
        return (ended[-1] - began[-1]) / 1e9

    def disable(self) -> None:
        """Disable it and wait for the unpatching transition; idempotent."""
        if not self._disabled:
            self._disabled = True
            self._control.set_enabled(self.module.name, False, Deadline.after(self._transition_s))
            self.await_transition("unpatching")

    def unload(self) -> None:
        """Unload its module."""
        errno = self._control.unload(self.module.name, Deadline.after(60))
        assert errno == 0, f"{self.module.name} did not unload: errno {errno}"

    def await_transition(self, direction: Any) -> None:
        """Wait for a transition to be complete, and name the blockers if it is not."""
        try:
            self._control.await_transition(direction, Deadline.after(self._transition_s))
        except DeadlineExpired:
            names = ", ".join(
                f"{b.comm} ({b.pid}) in {' < '.join(b.stack[:4])}" for b in self._blockers()
            )
            raise AssertionError(
                f"{direction} of {self.module.name} did not complete in "
                f"{self._transition_s:g} s; blocked by {names or 'nobody seen'}"
            ) from None

    def _blockers(self) -> tuple[Blocker, ...]:
        """Return whom the kernel last waited for; not every sample looks at stacks."""
        samples = [
            event
            for event in self._session.recorder.events
            if isinstance(event, TasksSampled) and event.patch == self.module.name
        ]
        return next((sample.blockers for sample in reversed(samples) if sample.blockers), ())


class Load:
    """What a running workload has done so far."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._from = len(recorder.events)

    def _samples(self) -> dict[int, WorkloadSample]:
        events = self._recorder.events[self._from :]
        return {event.worker: event for event in events if isinstance(event, WorkloadSample)}

    @property
    def operations(self) -> int:
        """Operations of all workers."""
        return sum(sample.operations for sample in self._samples().values())

    @property
    def errors(self) -> int:
        """Errors of all workers."""
        return sum(sample.errors for sample in self._samples().values())


def build_modules(case: Case, guest: Guest) -> list[Module]:
    """Build a case's modules for a guest's kernel.

    Raises:
        InputError: it does not fit the kernel; says why.
    """
    modules = [build_module(case, module, guest.spec.kernel) for module in case.modules]
    for module in modules:
        if module.inspection.problems:
            raise InputError(f"{module.name}: {module.inspection.problems[0]}")
    return modules


def _as_drive(keys: dict[str, Any]) -> Drive:
    try:
        return msgspec.convert(keys, Drive)
    except msgspec.ValidationError as error:
        known = ", ".join(Drive.__struct_fields__)
        raise InputError(f"not a drive: {error}", hint=f"its keys are {known}") from None


def _as_case(source: str | Path) -> Case:
    path = Path(source)
    makers: dict[str, Callable[[str], ModuleSource]] = {
        ".c": lambda name: ModuleSource(name=name, source=path.name),
        ".ko": lambda name: ModuleSource(name=name, prebuilt=path.name),
    }
    if path.suffix not in makers:
        return load(source)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    probe = Probe(name="none", run="true", states={"original": Outcome(), "patched": Outcome()})
    module = makers[path.suffix](path.stem.replace("-", "_"))
    return Case(
        title=path.name,
        modules=(module,),
        probes=(probe,),
        name=path.stem,
        folder=path.resolve().parent,
    )
