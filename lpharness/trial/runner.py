"""Running one trial: the guest started, its story told and judged, the document written.

The document says ``error`` from the first moment, so a harness that is killed leaves the truth.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from contextlib import ExitStack

from lpharness import __version__
from lpharness.base.deadline import Deadline
from lpharness.base.errors import GuestDied, GuestError, LpharnessError
from lpharness.base.hashing import sha256_file
from lpharness.checks import judge, overall
from lpharness.checks.contract import Recording
from lpharness.checks.replay import control_recording, save_context
from lpharness.guests.contract import Backend, Condition, Guest, Start
from lpharness.results.folder import TrialFolder
from lpharness.results.model import CheckResult, Provenance, Trial, TrialId, Verdict
from lpharness.timeline.events import GuestEnded, GuestStarted, Note, Phase, PhaseBegan
from lpharness.timeline.recorder import Recorder
from lpharness.trial.control import Control
from lpharness.trial.plan import Plan
from lpharness.trial.story import Story

_START_S = 180.0
_DUMP_S = 120.0

OnPhase = Callable[[TrialId, Phase], None]


def run_trial(
    plan: Plan, backend: Backend, folder: TrialFolder, on_phase: OnPhase = lambda *_: None
) -> Trial:
    """Try a livepatch once and return the judged trial; what a guest does never raises.

    Raises:
        LpharnessError: for what leaves nothing to judge, such as a folder that can't be written.
    """
    began = time.monotonic()
    trial = folder.begin(
        plan.id,
        Phase.BOOT,
        _provenance(plan, backend),
        plan.build,
        prepare=lambda path: save_context(path, plan.case, plan.functions),
    )
    _try_flaw(plan, backend, folder, trial, on_phase)
    with folder.timeline_path.open("wb") as file:
        recorder = Recorder(file)
        keeper = _Keeper(trial, folder, recorder, on_phase)
        trouble = _tell(plan, backend, folder, recorder, keeper)
        keeper.enter(Phase.END)
    trial.checks = _judge(plan, folder, recorder, trouble)
    trial.verdict, trial.reason = overall(trial.checks, plan.case)
    trial.seconds = time.monotonic() - began
    trial.finished = True
    folder.write(trial)
    return trial


class _Keeper:
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


def _try_flaw(
    plan: Plan, backend: Backend, folder: TrialFolder, trial: Trial, on_phase: OnPhase
) -> None:
    """Look for the flaw in a guest of its own; what is seen goes into the control's timeline.

    What goes wrong here is for the check of the flaw to judge: the trial goes on.
    """
    if plan.case.flaw is None:
        return
    folder.control.path.mkdir(parents=True, exist_ok=True)
    with folder.control.timeline_path.open("wb") as file:
        recorder = Recorder(file)
        keeper = _Keeper(trial, folder, recorder, on_phase)
        keeper.enter(Phase.CONTROL)
        with ExitStack() as stack:
            guest: Guest | None = None
            try:
                guest = stack.enter_context(_start(plan, backend, folder.control, recorder))
                control = Control(plan, guest, recorder)
                stack.callback(control.close)
                control.tell()
            except LpharnessError as error:
                recorder.add(Note(host_ns=recorder.now(), text=str(error)))
                if guest is not None and isinstance(error, GuestError):
                    _post_mortem(error, guest, recorder)
        keeper.leave()


def _tell(
    plan: Plan, backend: Backend, folder: TrialFolder, recorder: Recorder, keeper: _Keeper
) -> str:
    """Run the trial's story; return what went wrong beside the patch, or nothing."""
    guest: Guest | None = None
    keeper.enter(Phase.BOOT)
    with ExitStack() as stack:
        try:
            guest = stack.enter_context(_start(plan, backend, folder, recorder))
            _complete(keeper.trial.provenance, guest.start)
            story = Story(plan, guest, recorder, keeper.enter)
            stack.callback(story.close)
            story.tell()
        except LpharnessError as error:
            recorder.add(Note(host_ns=recorder.now(), text=str(error)))
            if guest is None or not isinstance(error, GuestError):
                return str(error)
            trouble = _post_mortem(error, guest, recorder)
            if plan.keep_memory:
                _keep_memory(guest, folder, recorder)
            return trouble
    return ""


def _start(plan: Plan, backend: Backend, folder: TrialFolder, recorder: Recorder) -> Guest:
    guest = backend.start(
        plan.spec,
        console_log=folder.console_path,
        fresh=plan.fresh,
        deadline=Deadline.after(_START_S),
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


def _complete(provenance: Provenance, start: Start) -> None:
    """Write down what is known of a guest only once it has come to life."""
    provenance.backend_version = start.backend_version
    provenance.command_line = start.command_line
    provenance.accelerator = start.accelerator
    provenance.accelerator_why = start.accelerator_why
    provenance.started_by = start.how


def _post_mortem(error: GuestError, guest: Guest, recorder: Recorder) -> str:
    """Ask how the guest is after something failed, and write the answer into the timeline."""
    if isinstance(error, GuestDied):
        condition, detail = Condition(error.condition), str(error)
    else:
        condition, detail = guest.condition()
    if condition in (Condition.ALIVE, Condition.COMMAND_HANGS):
        return f"{error}; the guest is {condition}"
    recorder.add(GuestEnded(host_ns=recorder.now(), condition=condition, detail=detail))
    return f"{error}: {detail}" if detail not in str(error) else str(error)


def _keep_memory(guest: Guest, folder: TrialFolder, recorder: Recorder) -> None:
    """Keep the memory of a guest whose kernel died, if there still is any."""
    ended = recorder.last(GuestEnded)
    if ended is None or ended.condition == Condition.KILLED:
        return
    try:
        guest.dump_memory(folder.path / "vmcore", Deadline.after(_DUMP_S))
    except LpharnessError as error:
        recorder.add(Note(host_ns=recorder.now(), text=f"no memory dump: {error}"))


def _judge(
    plan: Plan, folder: TrialFolder, recorder: Recorder, trouble: str
) -> tuple[CheckResult, ...]:
    accelerator = next((e.accelerator for e in recorder.events if isinstance(e, GuestStarted)), "")
    results = judge(
        Recording(
            id=plan.id,
            case=plan.case,
            functions=plan.functions,
            events=recorder.events,
            console=folder.console(),
            accelerator=accelerator,
            control=control_recording(folder, plan.id, plan.case),
        )
    )
    if not trouble:
        return results
    # First, so that among errors the cause speaks and not what was missed because of it.
    return (CheckResult(check="harness", verdict=Verdict.ERROR, summary=trouble), *results)


def _provenance(plan: Plan, backend: Backend) -> Provenance:
    kernel = plan.spec.kernel
    return Provenance(
        lpharness=__version__,
        kernel_release=kernel.release,
        kernel_origin=kernel.origin.spec,
        kernel_package=kernel.origin.package,
        kernel_version=kernel.origin.version,
        kernel_sha256=kernel.origin.sha256,
        image=plan.spec.image.recipe,
        image_identity=plan.spec.image.identity,
        modules={module.name: module.sha256 for module in plan.modules},
        module_sources={module.name: module.source_sha256 for module in plan.modules},
        programs={file.name: sha256_file(file) for file in (*plan.programs, *plan.companions)},
        compiler=plan.modules[0].compiler if plan.modules else "",
        backend=backend.name,
        cpus=plan.spec.cpus,
        memory_mb=max(plan.spec.memory_mb, plan.spec.image.memory_mb),
        seed=plan.seed,
        host=f"{platform.system()} {platform.release()} {platform.machine()}",
    )
