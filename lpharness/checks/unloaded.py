"""Is everything gone after the unload: sysfs, redirection, module, and the new behaviour?"""

from __future__ import annotations

from collections import Counter

from lpharness.checks.contract import PatchedFunction, Recording
from lpharness.checks.ledger import Ledger
from lpharness.checks.models import handler, module_stays
from lpharness.checks.probing import judge_probes
from lpharness.checks.story import Chapter, Story
from lpharness.checks.taints import judge_taint
from lpharness.checks.transition import refusal
from lpharness.results.model import CheckResult
from lpharness.timeline.events import (
    ActionTaken,
    EnabledFunctions,
    FunctionBytes,
    ModuleUnloadTried,
    PatchSysfs,
    Phase,
    ShadowVariables,
    TransitionMarked,
)


def check_unloaded(recording: Recording) -> CheckResult:
    """Judge what is left of the patch in the guest."""
    story, ledger = Story(recording), Ledger("unloaded")
    forced = any(event.mark == "forced" for _, event in recording.of(TransitionMarked))
    if forced and recording.case.expect.force:
        return ledger.skip("a forced patch can never be unloaded")
    _judge_disable(recording, ledger)
    for module in recording.case.modules:
        _judge_unload(recording, module.name, ledger)
        _judge_sysfs(recording, module.name, ledger)
    _judge_modules(story, ledger)
    after = story.find(Phase.AFTER)
    if after is None:
        ledger.missing("the guest after the unload", "the trial did not come so far")
    else:
        judge_probes(story, after, ledger)
        _judge_ftrace(recording, after, ledger)
        for function in {_place(f): f for f in recording.functions}.values():
            _judge_bytes(story, after, function, ledger)
        _judge_shadows(story, after, ledger)
    judge_taint(story, ledger)
    return ledger.result("nothing of the patch is left", died=story.died)


def _place(function: PatchedFunction) -> tuple[str, str, int]:
    """Return what names a function in the kernel, whichever modules patch it."""
    return function.object, function.old, function.sympos or 1


def _judge_disable(recording: Recording, ledger: Ledger) -> None:
    """The kernel must let a patch be disabled when it is asked to."""
    for module in recording.case.modules:
        for index, taken in recording.of(ActionTaken):
            asked = taken.action == f"write 0 to enabled of {module.name}"
            if asked and taken.exit_status != taken.wanted:
                seen = taken.detail or f"exit status {taken.exit_status}"
                ledger.wrong(f"disabling of {module.name}", seen, (index, taken), wanted="disabled")


def _judge_unload(recording: Recording, module: str, ledger: Ledger) -> None:
    tries = [(i, e) for i, e in recording.of(ModuleUnloadTried) if e.module == module]
    what = f"unload of {module}"
    if not tries:
        ledger.missing(what, "was not tried")
        return
    at = tries[-1]
    event = at[1]
    if module_stays(recording.id.model):
        held = event.errno != 0
        seen = refusal(event.errno, event.detail) if held else "unloaded"
        ledger.hold(what, held, seen, f"refused: under {recording.id.model} it stays", at)
        return
    if event.errno:
        ledger.wrong(what, refusal(event.errno, event.detail), at, wanted="unloaded")
        return
    for task in event.inside:
        seen = f"{task.comm} ({task.pid}) will return to {task.frame}, which is gone"
        ledger.wrong(f"left inside {module}", seen, at, wanted="nobody")
    ledger.right(what, f"reference count reached 0 after {event.waited_s:.2f} s", at)


def _judge_sysfs(recording: Recording, module: str, ledger: Ledger) -> None:
    what = f"sysfs of {module} after the unload"
    states = [(index, event) for index, event in recording.of(PatchSysfs) if event.patch == module]
    counts = [(i, e) for i, e in states if e.refcount is not None]
    if counts:
        what_count = f"reference count of {module} when last read, before its unload"
        ledger.context(what_count, str(counts[-1][1].refcount), counts[-1])
    if not states:
        ledger.missing(what, "was never read")
        return
    at = states[-1]
    unloaded = any(
        index < at[0] for index, e in recording.of(ModuleUnloadTried) if e.module == module
    )
    if not at[1].present:
        ledger.right(what, "gone", at)
    elif unloaded:
        ledger.wrong(what, "still there", at, wanted="gone")
    else:
        ledger.missing(what, "was not read", at)


def _judge_modules(story: Story, ledger: Ledger) -> None:
    vitals = story.final_vitals()
    if vitals is None:
        ledger.missing("modules after the unload", "no vitals of that time")
        return
    if module_stays(story.recording.id.model):
        return
    for module in story.recording.case.modules:
        gone = module.name.replace("-", "_") not in vitals[1].modules
        seen = "not in /proc/modules" if gone else "still in /proc/modules"
        ledger.hold(f"module {module.name}", gone, seen, "gone", vitals)


def _judge_ftrace(recording: Recording, after: Chapter, ledger: Ledger) -> None:
    last = after.last(EnabledFunctions)
    if last is None:
        ledger.missing("enabled_functions after the unload", "was not read")
        return
    lines = {line.name: line for line in last[1].functions}
    for name in dict.fromkeys(function.old for function in recording.functions):
        what = f"enabled_functions of {name}"
        line = lines.get(name)
        if line is None:
            ledger.right(what, "not listed", last)
        elif line.ip_modify or any(h.startswith(handler(recording)) for h in line.handlers):
            ledger.wrong(what, f"still redirected: {line.line}", last, wanted="not listed")
        else:
            ledger.context(what, f"traced by somebody else: {line.line}", last)


def _judge_bytes(story: Story, after: Chapter, function: PatchedFunction, ledger: Ledger) -> None:
    """The first bytes must be the baseline's: ftrace took its call out again."""
    what = f"first bytes of {function.old}"
    baseline = story.find(Phase.BASELINE)
    before = _bytes(baseline, function) if baseline else None
    later = _bytes(after, function)
    if before is None or later is None:
        if baseline and before is None and not story.object_loaded(function, baseline):
            ledger.context(what, f"{function.object} was not loaded in the baseline")
        else:
            when = "the baseline" if before is None else "after the unload"
            ledger.missing(what, f"were not read in {when}")
    elif before[1].hex and later[1].hex:
        fine = before[1].hex == later[1].hex
        ledger.hold(what, fine, later[1].hex, f"{before[1].hex}, as in the baseline", later)
    elif why := before[1].detail or later[1].detail:
        ledger.context(what, f"could not be read: {why}", later)
    else:
        ledger.missing(what, "could not be read", later)


def _judge_shadows(story: Story, after: Chapter, ledger: Ledger) -> None:
    """No shadow variable may be left that was not there before: nobody would ever free it."""
    what = "shadow variables"
    baseline = story.find(Phase.BASELINE)
    before, later = (c.last(ShadowVariables) if c else None for c in (baseline, after))
    if before is None or later is None:
        return  # recorded before they were looked at, or the kernel's symbols are not known
    if why := before[1].detail or later[1].detail:
        ledger.context(what, f"could not be read: {why}", later)
        return
    left = Counter(later[1].ids) - Counter(before[1].ids)
    ids = ", ".join(f"{count} of id {int(name, 16):#x}" for name, count in sorted(left.items()))
    ledger.hold(what, not left, ids or "none is left", "none but those of the baseline", later)


def _bytes(chapter: Chapter, function: PatchedFunction) -> tuple[int, FunctionBytes] | None:
    found = None
    for index, event in chapter.of(FunctionBytes):
        if (event.object, event.function, event.sympos or 1) == _place(function):
            found = (index, event)
    return found
