"""One fix: built as a livepatch, and tried in a guest."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from lpharness.archive import Archive
from lpharness.base.errors import HostError, LpharnessError
from lpharness.bench.fixes.model import Fix, Outcome, Settings
from lpharness.bench.fixes.needs import providers
from lpharness.cases.model import Case, ModuleSource, Pace, Probe, Target, Text
from lpharness.cases.model import Outcome as Due
from lpharness.checks.contract import Recording
from lpharness.checks.redirected import NEVER_ENTERED
from lpharness.checks.replay import load_recording
from lpharness.checks.story import Story
from lpharness.engine.build import Module, module_of_diff
from lpharness.engine.builders import Engine
from lpharness.engine.differ.refusals import CAN_BE_LEFT_OUT
from lpharness.engine.guest_image import guest_image
from lpharness.guests import backend
from lpharness.guests.contract import GuestSpec
from lpharness.kernels import resolve, with_headers
from lpharness.kernels.model import Kernel
from lpharness.kernels.symbols import VMLINUX
from lpharness.results.figures import figures
from lpharness.results.folder import RunFolder
from lpharness.results.model import Trial, TrialId, Verdict
from lpharness.sources.delta import delta
from lpharness.sources.package import unpack_source
from lpharness.timeline.events import CallsCounted, Phase, Vitals
from lpharness.trial.plan import Plan
from lpharness.trial.runner import run_trial
from lpharness.workloads import find as find_workload

_NAME = "lph_fix"
_PACE = Pace(baseline_s=0.3, steady_s=0.6, after_s=0.4)
_COUNTED = 2
_SMOKE_S = 30.0
_LOAD = "idle"
"""Heartbeats, beside which the smoke load runs in each state: it is one guest of hundreds."""
_OUTCOMES = {"no-code": Outcome.NO_CODE, "does-not-compile": Outcome.NEEDS_OTHERS,
             "not-reached": Outcome.NEEDS_OTHERS}  # fmt: skip
_VERDICTS = {Verdict.PASS: Outcome.CLEAN, Verdict.FAIL: Outcome.HARMED}
_MOST_ROUNDS = 4
_MOST_UNITS = 12  # of a header that comes along


class Built(NamedTuple):
    """What building a fix came to."""

    fix: Fix
    module: Module | None
    said: str
    """The error in full."""


def attempt(settings: Settings, path: str, modules: tuple[str, ...], run: Path) -> Fix:
    """Build one file's fix, and try it if it was built.

    Args:
        settings: what is measured.
        path: the file.
        modules: what the guests' one image holds, so that all share a snapshot.
        run: the folder of the results.
    """
    made = build(settings, path, (path,))
    if made.fix.outcome is Outcome.NEEDS_OTHERS and settings.together:
        made = _together(settings, made)
        made = made._replace(fix=replace(made.fix, together=True))
    if made.fix.kind in CAN_BE_LEFT_OUT:
        made = _without_what_is_past(settings, made)
    if made.module is None or not settings.guests:
        return made.fix
    return _tried(settings, made.fix, made.module, modules, run)


def _together(settings: Settings, alone: Built) -> Built:
    """Add what a fix needs until it builds, or nothing is found that helps."""
    archive = Archive()
    old, new = (unpack_source(version, archive) for version in (settings.old, settings.new))
    made = alone
    for _ in range(_MOST_ROUNDS):
        more = providers(made.said, old, new, made.fix.files)
        if not more:
            break
        made = build(settings, alone.fix.path, (*made.fix.files, *more))
        if made.fix.kind not in ("does-not-compile", "not-reached", "symbol-missing"):
            break
    return made


def _without_what_is_past(settings: Settings, refused: Built) -> Built:
    """Leave out what a running kernel never looks at again, if there is anything else."""
    fix = refused.fix
    made = build(settings, fix.path, fix.files, allow=frozenset(CAN_BE_LEFT_OUT))
    if made.module is None:
        return refused if made.fix.outcome is Outcome.NO_CODE else made
    kept = replace(made.fix, kind=fix.kind, left_out=True, together=fix.together)
    return made._replace(fix=kept)


def build(
    settings: Settings, path: str, files: tuple[str, ...], *, allow: frozenset[str] = frozenset()
) -> Built:
    """Build a fix; without a module the outcome says why."""
    began = time.monotonic()

    def fix(outcome: Outcome, **more: object) -> Fix:
        seconds = round(time.monotonic() - began, 2)
        made = Fix(path=path, files=files, outcome=outcome, build_s=seconds)
        return replace(made, **more)

    try:
        diff = delta(settings.old, settings.new, files)
        kernel = _kernel(settings.kernel)
        engine = Engine(most_units=_MOST_UNITS, allow=allow)
        module = module_of_diff(diff, kernel, name=_NAME, builder=engine)
    except LpharnessError as error:
        ours = isinstance(error, HostError) or not error.kind
        outcome = Outcome.BROKEN if ours else _OUTCOMES.get(error.kind, Outcome.REFUSED)
        reason = error.message.splitlines()[0]
        return Built(fix(outcome, kind=error.kind, reason=reason), None, error.message)
    problems = module.inspection.problems
    built = fix(
        Outcome.BROKEN if problems else Outcome.UNSURE,
        reason=str(problems[0]) if problems else "not tried",
        objects=tuple(dict.fromkeys(f.object for f in module.inspection.functions)),
        functions=len(module.inspection.functions),
        sha256=module.sha256,
    )
    return Built(built, None if problems else module, "")


def _tried(settings: Settings, fix: Fix, module: Module, modules: Sequence[str], run: Path) -> Fix:
    kernel = _kernel(settings.kernel)
    workload = find_workload(_LOAD)
    case = _case(fix)
    image = guest_image("minimal", kernel, guest_modules=modules)
    plan = Plan(
        id=TrialId(case=case.name, kernel=kernel.release, workload=workload.name),
        case=case,
        spec=GuestSpec(kernel=kernel, image=image),
        workload=workload,
        modules=(module,),
        pace=_PACE,
        counted=_COUNTED,
    )
    folder = RunFolder.open(run).trial(plan.id)
    trial = run_trial(plan, backend("qemu"), folder)
    harm = _of_harm(trial)
    recording = load_recording(folder.path)
    loaded = _loaded(recording)
    return replace(
        fix,
        outcome=_outcome(harm, fix),
        reason=trial.reason,
        verdict=harm,
        called=len(_entered(recording)),
        target_loaded=all(name in loaded for name in fix.objects if name != VMLINUX),
        transition_s=figures(recording.events).patching_s,
        trial_s=round(trial.seconds, 2),
    )


def _of_harm(trial: Trial) -> Verdict:
    """Return the verdict on harm alone: code that nobody called proves nothing, and did none."""
    unsure = [check for check in trial.checks if check.verdict is Verdict.ERROR]
    if trial.verdict is Verdict.ERROR and all(NEVER_ENTERED in c.summary for c in unsure):
        return Verdict.PASS if unsure else Verdict.ERROR
    return trial.verdict


def _outcome(verdict: Verdict, fix: Fix) -> Outcome:
    found = _VERDICTS.get(verdict, Outcome.UNSURE)
    return Outcome.PARTLY if found is Outcome.CLEAN and fix.left_out else found


def _case(fix: Fix) -> Case:
    """Return a case that asks nothing of a fix but that all goes on as before."""
    smoke = Path(__file__).with_name("smoke.sh").read_text()
    due = Due(stdout=Text(equals="smoke done"))
    probe = Probe(
        name="smoke", run=smoke, states={"original": due, "patched": due}, timeout_s=_SMOKE_S
    )
    targets = tuple(name for name in fix.objects if name != VMLINUX)
    return Case(
        name="fix-" + fix.path.removesuffix(".c").replace("/", "-"),
        title=f"what changed in {fix.path}",
        modules=(ModuleSource(name=_NAME),),
        probes=(probe,),
        target=Target(modules=targets) if targets else None,
    )


def _entered(recording: Recording) -> set[str]:
    """Return the functions whose new version was entered while the patch was on."""
    steady = Story(recording).find(Phase.STEADY)
    counted = steady.of(CallsCounted) if steady else ()
    return {event.function for _, event in counted if event.side == "new" and event.hits}


def _loaded(recording: Recording) -> set[str]:
    """Return the modules that the guest was seen with at any time."""
    return set().union(*(event.modules for _, event in recording.of(Vitals)))


@cache
def _kernel(spec: str) -> Kernel:
    return with_headers(resolve(spec))
