"""What every trial's guest and document have in common, whatever the trial is about.

The document says ``error`` from the first moment, so a harness that is killed leaves the truth.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable

from lpharness import __version__
from lpharness.base.busyness import host_busyness
from lpharness.base.deadline import Deadline
from lpharness.base.errors import GuestDied, GuestError
from lpharness.guests.contract import Backend, Condition, Guest, GuestSpec
from lpharness.results.folder import TrialFolder
from lpharness.results.model import Provenance, Trial, TrialId
from lpharness.timeline.events import GuestEnded, GuestStarted, Phase, PhaseBegan, Vitals
from lpharness.timeline.recorder import Recorder

_START_S = 180.0
_ASKED_S = 20.0
_KERNEL_BUILD = "/proc/sys/kernel/version"
_BOOT_ID = "/proc/sys/kernel/random/boot_id"

OnPhase = Callable[[TrialId, Phase], None]


class Keeper:
    """Writes down where the trial stands, before each step that may not come back."""

    def __init__(
        self, trial: Trial, folder: TrialFolder, recorder: Recorder, on_phase: OnPhase
    ) -> None:
        self.trial = trial
        self._folder = folder
        self._recorder = recorder
        self._on_phase = on_phase
        self._phase: Phase | None = None
        self._since = time.monotonic()

    def enter(self, phase: Phase, module: str | None = None) -> None:
        """Begin a phase: from now on a kill leaves the document that says so."""
        self.leave()
        self._phase, self._since = phase, time.monotonic()
        self._recorder.add(PhaseBegan(host_ns=self._recorder.now(), phase=phase, module=module))
        self._folder.enter(self.trial, phase)
        self._on_phase(self.trial.id, phase)

    def leave(self) -> None:
        """Count the time spent in the phase that was entered last."""
        if self._phase is not None:
            spent = self.trial.phases.get(self._phase, 0.0)
            self.trial.phases[self._phase] = spent + time.monotonic() - self._since
            self._phase = None


def start_guest(
    backend: Backend,
    spec: GuestSpec,
    folder: TrialFolder,
    recorder: Recorder,
    *,
    fresh: bool = False,
) -> Guest:
    """Start a guest whose console goes into a folder, and write down how it came to life.

    Raises:
        GuestStartError: it did not come up.
        HostError: the host cannot run it at all.
    """
    guest = backend.start(
        spec,
        console_log=folder.console_path,
        fresh=fresh,
        deadline=Deadline.after(_START_S * host_busyness()),
    )
    start = guest.start
    recorder.add(
        GuestStarted(
            host_ns=recorder.now(),
            how=start.how,
            seconds=start.seconds,
            accelerator=start.accelerator,
            why=start.why,
        )
    )
    return guest


def provenance_of(spec: GuestSpec, backend: Backend) -> Provenance:
    """Return what is known of a guest before it is started."""
    kernel = spec.kernel
    return Provenance(
        lpharness=__version__,
        kernel_release=kernel.release,
        kernel_origin=kernel.origin.spec,
        kernel_package=kernel.origin.package,
        kernel_version=kernel.origin.version,
        kernel_sha256=kernel.origin.sha256,
        image=spec.image.recipe,
        image_identity=spec.image.identity,
        backend=backend.name,
        cpus=spec.cpus,
        memory_mb=max(spec.memory_mb, spec.image.memory_mb),
        host=f"{platform.system()} {platform.release()} {platform.machine()}",
    )


def complete(provenance: Provenance, guest: Guest) -> None:
    """Write down what is known of a guest only once it has come to life.

    Raises:
        GuestError: it does not say which build of its kernel runs.
    """
    start = guest.start
    provenance.backend_version = start.backend_version
    provenance.command_line = start.command_line
    provenance.accelerator = start.accelerator
    provenance.accelerator_why = start.accelerator_why
    provenance.started_by = start.how
    told = guest.transport.get(_KERNEL_BUILD, deadline=Deadline.after(_ASKED_S))
    provenance.kernel_build = told.decode(errors="replace").strip()


def post_mortem(error: GuestError, guest: Guest, recorder: Recorder) -> str:
    """Ask how the guest is after something failed, and write the answer into the timeline."""
    if isinstance(error, GuestDied):
        condition, detail = Condition(error.condition), str(error)
    else:
        condition, detail = guest.condition()
    if condition is Condition.ALIVE and (other := _other_life(guest, recorder)):
        recorder.add(GuestEnded(host_ns=recorder.now(), condition=Condition.RESET, detail=other))
        return f"{error}: {other}"
    if condition in (Condition.ALIVE, Condition.COMMAND_HANGS):
        return f"{error}; the guest is {condition}"
    recorder.add(GuestEnded(host_ns=recorder.now(), condition=condition, detail=detail))
    return f"{error}: {detail}" if detail not in str(error) else str(error)


def _other_life(guest: Guest, recorder: Recorder) -> str:
    """Say that a guest which answers is not the one that was patched: its kernel began anew.

    The machine's monitor knows nothing of a kernel that starts another one itself (kexec).
    """
    vitals = recorder.last(Vitals)
    if vitals is None:
        return ""
    try:
        told = guest.transport.get(_BOOT_ID, deadline=Deadline.after(_ASKED_S))
    except GuestError:
        return ""
    boot_id = told.decode(errors="replace").strip()
    if not boot_id or boot_id == vitals.boot_id:
        return ""
    return f"it lives another life: its boot id was {vitals.boot_id} and is {boot_id}"
