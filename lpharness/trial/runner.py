"""Running one trial: the guest started, its story told and judged, the document written."""

from __future__ import annotations

import time
from contextlib import ExitStack

import msgspec

from lpharness.base.errors import GuestError, LpharnessError
from lpharness.base.hashing import sha256_file
from lpharness.checks import judge, overall
from lpharness.checks.contract import Recording
from lpharness.checks.replay import control_recording, save_context
from lpharness.guests.contract import Backend, Guest
from lpharness.results.folder import TrialFolder
from lpharness.results.model import CheckResult, Provenance, Trial, Verdict
from lpharness.timeline.events import GuestStarted, Note, Phase
from lpharness.timeline.recorder import Recorder
from lpharness.trial.control import Control
from lpharness.trial.keeper import (
    Keeper,
    OnPhase,
    complete,
    post_mortem,
    provenance_of,
    start_guest,
)
from lpharness.trial.memory import MemoryKeeper
from lpharness.trial.places import record_places
from lpharness.trial.plan import Plan
from lpharness.trial.story import Story


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
        keeper = Keeper(trial, folder, recorder, on_phase)
        trouble = _tell(plan, backend, folder, recorder, keeper)
        keeper.enter(Phase.END)
        _record_places(plan, folder, recorder)
    trial.checks = _judge(plan, folder, recorder, trouble)
    trial.verdict, trial.reason = overall(trial.checks, plan.case)
    trial.seconds = time.monotonic() - began
    trial.finished = True
    folder.write(trial)
    return trial


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
        keeper = Keeper(trial, folder, recorder, on_phase)
        keeper.enter(Phase.CONTROL)
        with ExitStack() as stack:
            guest: Guest | None = None
            try:
                guest = stack.enter_context(
                    start_guest(backend, plan.spec, folder.control, recorder, fresh=plan.fresh)
                )
                control = Control(plan, guest, recorder)
                stack.callback(control.close)
                control.tell()
            except LpharnessError as error:
                recorder.add(Note(host_ns=recorder.now(), text=str(error)))
                if guest is not None and isinstance(error, GuestError):
                    post_mortem(error, guest, recorder)
        _record_places(plan, folder.control, recorder)
        keeper.leave()


def _tell(
    plan: Plan, backend: Backend, folder: TrialFolder, recorder: Recorder, keeper: Keeper
) -> str:
    """Run the trial's story; return what went wrong beside the patch, or nothing."""
    guest: Guest | None = None
    memory: MemoryKeeper | None = None
    keeper.enter(Phase.BOOT)
    with ExitStack() as stack:
        try:
            guest = stack.enter_context(
                start_guest(backend, plan.spec, folder, recorder, fresh=plan.fresh)
            )
            if plan.keep_memory:
                memory = MemoryKeeper(guest, folder, recorder, plan.module_files)
            complete(keeper.trial.provenance, guest)
            story = Story(plan, guest, recorder, keeper.enter, memory)
            stack.callback(story.close)
            story.tell()
            if memory is not None:
                memory.keep_after_oops()
        except LpharnessError as error:
            recorder.add(Note(host_ns=recorder.now(), text=str(error)))
            if guest is None or not isinstance(error, GuestError):
                return str(error)
            trouble = post_mortem(error, guest, recorder)
            if memory is not None:
                memory.keep_after_death()
            return trouble
    return ""


def _record_places(plan: Plan, folder: TrialFolder, recorder: Recorder) -> None:
    record_places(plan.spec.kernel, plan.module_files, folder.console(), recorder)


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
    files = [*plan.programs, *plan.companions, *([plan.beats] if plan.beats else [])]
    return msgspec.structs.replace(
        provenance_of(plan.spec, backend),
        modules={module.name: module.sha256 for module in plan.modules},
        module_sources={module.name: module.source_sha256 for module in plan.modules},
        programs={file.name: sha256_file(file) for file in files},
        compiler=plan.modules[0].compiler if plan.modules else "",
        seed=plan.seed,
    )
