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
from lpharness.checks import judge, overall
from lpharness.checks.contract import Recording
from lpharness.checks.replay import save_context
from lpharness.guests.contract import Backend, Condition, Guest
from lpharness.results.folder import TrialFolder
from lpharness.results.model import CheckResult, Provenance, Trial, TrialId, Verdict
from lpharness.timeline.events import GuestEnded, GuestStarted, Note, Phase, PhaseBegan
from lpharness.timeline.recorder import Recorder
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
    trial = folder.begin(plan.id, Phase.BOOT, _provenance(plan, backend))
    save_context(folder.path, plan.case, plan.functions)  # a trial that is killed is judged too
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
        now = time.monotonic()
        if self._phase is not None:
            spent = self.trial.phases.get(self._phase, 0.0)
            self.trial.phases[self._phase] = spent + now - self._since
        self._phase, self._since = phase, now
        self._recorder.add(PhaseBegan(host_ns=self._recorder.now(), phase=phase, module=module))
        self._folder.enter(self.trial, phase)
        self._on_phase(self.trial.id, phase)


def _tell(
    plan: Plan, backend: Backend, folder: TrialFolder, recorder: Recorder, keeper: _Keeper
) -> str:
    """Run the trial's story; return what went wrong beside the patch, or nothing."""
    guest: Guest | None = None
    keeper.enter(Phase.BOOT)
    with ExitStack() as stack:
        try:
            guest = stack.enter_context(_start(plan, backend, folder, recorder, keeper.trial))
            story = Story(plan, guest, recorder, keeper.enter)
            stack.callback(story.close)
            story.tell()
        except LpharnessError as error:
            recorder.add(Note(host_ns=recorder.now(), text=str(error)))
            if guest is None or not isinstance(error, GuestError):
                return str(error)
            return _post_mortem(error, guest, plan, folder, recorder)
    return ""


def _start(
    plan: Plan, backend: Backend, folder: TrialFolder, recorder: Recorder, trial: Trial
) -> Guest:
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
    trial.provenance.backend_version = start.backend_version
    trial.provenance.command_line = start.command_line
    trial.provenance.accelerator = start.accelerator
    trial.provenance.accelerator_why = start.accelerator_why
    trial.provenance.started_by = start.how
    return guest


def _post_mortem(
    error: GuestError, guest: Guest, plan: Plan, folder: TrialFolder, recorder: Recorder
) -> str:
    """Ask how the guest is after something failed, and write the answer into the timeline."""
    if isinstance(error, GuestDied):
        condition, detail = Condition(error.condition), str(error)
    else:
        condition, detail = guest.condition()
    if condition in (Condition.ALIVE, Condition.COMMAND_HANGS):
        return f"{error}; the guest is {condition}"
    recorder.add(GuestEnded(host_ns=recorder.now(), condition=condition, detail=detail))
    if plan.keep_memory and condition is not Condition.KILLED:
        _keep_memory(guest, folder, recorder)
    return f"{error}: {detail}" if detail not in str(error) else str(error)


def _keep_memory(guest: Guest, folder: TrialFolder, recorder: Recorder) -> None:
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
        compiler=plan.modules[0].compiler if plan.modules else "",
        backend=backend.name,
        cpus=plan.spec.cpus,
        memory_mb=max(plan.spec.memory_mb, plan.spec.image.memory_mb),
        seed=plan.seed,
        host=f"{platform.system()} {platform.release()} {platform.machine()}",
    )
