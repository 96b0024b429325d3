"""Does the guest run the new functions while patched, and the old ones before and after?"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from lpharness.checks.contract import PatchedFunction, Recording
from lpharness.checks.ledger import Ledger
from lpharness.checks.models import KLP_HANDLER, handler
from lpharness.checks.probing import judge_probes
from lpharness.checks.story import Chapter, Story, comes_late, replaced_by
from lpharness.results.model import CheckResult
from lpharness.timeline.events import (
    CallsCounted,
    CallSeen,
    EnabledFunction,
    EnabledFunctions,
    ObjectState,
    PatchSysfs,
    Phase,
    TracingUnavailable,
)

NEVER_ENTERED = "none was ever seen to enter"
"""What is missing of a patch that may be on, and that nobody called."""

_SEVERAL = ("arch_ftrace_ops_list_func", "ftrace_ops_list_func")
"""What ftrace calls where several users share a function: whose handlers those are is not told."""


def check_redirected(recording: Recording) -> CheckResult:
    """Judge behaviour, ftrace's registrations, sysfs and counted calls, phase by phase."""
    story, ledger = Story(recording), Ledger("redirected")
    _judge_plain(story, Phase.BASELINE, ledger)
    for module in recording.case.modules:
        _judge_steady(story, module.name, ledger)
    _judge_plain(story, Phase.AFTER, ledger)
    names = ", ".join(dict.fromkeys(function.old for function in recording.functions))
    return ledger.result(f"{names}: patched while on, original before and after", died=story.died)


def _judge_plain(story: Story, phase: Phase, ledger: Ledger) -> None:
    """Judge a phase in which no patch is on."""
    chapter = story.find(phase)
    if chapter is None:
        ledger.missing(phase.value, "the trial did not come so far")
        return
    judge_probes(story, chapter, ledger)
    told: set[str] = set()  # a function that two modules patch is told of once
    for function in story.recording.functions:
        counted = _count(chapter, function)
        what = f"calls of {function.old} in {phase.value}"
        if counted.new_hits:
            ledger.wrong(what, f"{counted.new_hits} entered {function.new}", wanted="none")
        elif function.old in told:
            continue
        elif counted.old_driven and not counted.old_hits and phase is Phase.AFTER:
            _judge_silence(story, function, what, ledger)
        elif counted.old_hits:
            ledger.right(what, f"{counted.old_hits} entered the original")
        elif counted.old_driven:
            ledger.context(what, "driven, but none came: the case's drive misses the function")
        told.add(function.old)


def _judge_steady(story: Story, module: str, ledger: Ledger) -> None:
    chapter = story.find(Phase.STEADY, module)
    if chapter is None:
        ledger.missing(f"steady phase of {module}", "the trial did not come so far")
        return
    judge_probes(story, chapter, ledger)
    functions = [function for function in story.recording.functions if function.module == module]
    if not functions:
        _judge_unknown(chapter, module, ledger)
    due = [function for function in functions if story.object_loaded(function, chapter)]
    for function in functions:
        if function not in due:
            ledger.context(function.old, f"{function.object} is not loaded yet")
    _judge_ftrace(chapter, due, handler(story.recording), ledger)
    _judge_given_back(story, chapter, module, ledger)
    _judge_sysfs(chapter, module, due, ledger)
    for function in due:
        _judge_calls(story, chapter, function, ledger)
    _judge_reached(story, chapter, module, due, ledger)


def _judge_unknown(chapter: Chapter, module: str, ledger: Ledger) -> None:
    """A module whose functions could not be read before the boot: sysfs may know them.

    The kernel takes a patch without functions as willingly as any other, and changes nothing.
    """
    what = f"functions of {module}"
    states = [(index, event) for index, event in chapter.of(PatchSysfs) if event.patch == module]
    if states and states[-1][1].present:
        objects = states[-1][1].objects.values()
        if not any(state.functions for state in objects):
            ledger.wrong(what, "sysfs shows none: it patches nothing", states[-1], wanted="one")
            return
    ledger.missing(what, "none are known")


def _judge_reached(
    story: Story, chapter: Chapter, module: str, due: list[PatchedFunction], ledger: Ledger
) -> None:
    """Some call must have been seen to enter new code, or nothing shows that any ever does.

    A probe may look at something else than what the code does; ftrace and sysfs tell only where
    calls would go. Where not every function's calls were counted, nothing can be said.
    """
    counts = [_count(chapter, function) for function in due]
    silent = bool(counts) and all(count.new_counted and not count.new_missed for count in counts)
    if not silent or any(count.new_hits or count.new_driven for count in counts):
        return  # reached, or told of above
    if any(e.module == module and e.side == "new" for _, e in story.recording.of(CallSeen)):
        return
    names = ", ".join(function.new for function in due)
    ledger.missing(f"calls of {module}", f"{NEVER_ENTERED} {names}")


def _judge_ftrace(
    chapter: Chapter, due: list[PatchedFunction], wanted: str, ledger: Ledger
) -> None:
    read = list(chapter.of(EnabledFunctions))
    if due and not read:
        ledger.missing("enabled_functions while patched", "was not read")
    for at in read:  # at the beginning and at the end: what was there may not stay there
        lines = {line.name: line for line in at[1].functions}
        for function in due:
            what = f"enabled_functions of {function.old}"
            line = lines.get(function.old)
            if line is None:
                ledger.wrong(what, "not listed", at, wanted="listed with I (IPMODIFY)")
            elif fault := _ftrace_fault(line, wanted):
                ledger.wrong(what, f"{fault}: {line.line}", at, wanted=f"I and {wanted}")
            elif at is read[-1]:
                ledger.right(what, line.line or line.name, at)


def _judge_given_back(story: Story, chapter: Chapter, module: str, ledger: Ledger) -> None:
    """What a replaced patch had and its successor has not must be the kernel's own again."""
    last = chapter.last(EnabledFunctions)
    replaced = replaced_by(story.recording, module)
    kept = {f.old for f in story.recording.functions if f.module == module}
    if last is None:
        return
    lines = {line.name: line for line in last[1].functions}
    for name in {f.old for f in story.recording.functions if f.module in replaced} - kept:
        what = f"enabled_functions of {name}, given back by {module}"
        line = lines.get(name)
        redirected = line is not None and line.ip_modify
        seen = line.line if line is not None else "not listed"
        ledger.hold(what, not redirected, seen, "not redirected", last)


def _ftrace_fault(line: EnabledFunction, wanted: str) -> str:
    if not line.ip_modify:
        return "not flagged I (IPMODIFY)"
    named = [name for name in line.handlers if name not in _SEVERAL]
    if named and not any(name.startswith(wanted) for name in named):
        whose = "livepatch's" if wanted == KLP_HANDLER else "the model's"
        return f"not {whose} handler but {', '.join(named)}"
    return ""


def _judge_sysfs(chapter: Chapter, module: str, due: list[PatchedFunction], ledger: Ledger) -> None:
    what = f"sysfs of {module}"
    states = [(index, event) for index, event in chapter.of(PatchSysfs) if event.patch == module]
    if not states:
        ledger.missing(what, "was not read while patched")
        return
    at = states[-1]
    patch = at[1]
    if not patch.present:
        ledger.wrong(what, "there is none", at, wanted="present")
        return
    if patch.enabled is None or patch.transition is None:
        ledger.missing(what, "enabled or transition could not be read", at)
    else:
        seen = f"enabled {int(patch.enabled)}, transition {int(patch.transition)}"
        fine = patch.enabled and not patch.transition
        ledger.hold(what, fine, seen, "enabled 1, transition 0", at)
    for function in due:
        state = patch.objects.get(function.object)
        seen, fine = _object_state(function, state)
        ledger.hold(f"sysfs of {function.object}/{function.old}", fine, seen, "patched", at)


def _object_state(function: PatchedFunction, state: ObjectState | None) -> tuple[str, bool]:
    folder = f"{function.old},{function.sympos or 1}"  # sysfs shows sympos 0 as 1
    if state is None:
        return f"no folder {function.object}", False
    if folder not in state.functions:
        return f"no folder {folder} in {function.object}", False
    if state.patched is None:
        return f"{folder} is there (this kernel has no patched attribute)", True
    return f"{folder}, patched {int(state.patched)}", state.patched


@dataclass(slots=True)
class _Counted:
    old_hits: int = 0
    new_hits: int = 0
    old_driven: bool = False
    new_driven: bool = False
    new_missed: int = 0
    old_counted: bool = False
    new_counted: bool = False


def _count(chapter: Chapter, function: PatchedFunction) -> _Counted:
    total = _Counted()
    for _, event in chapter.of(CallsCounted):
        if event.function != function.old:
            continue
        # The kernel's own version is counted once, whichever of two modules patches it.
        if event.side == "old":
            total.old_counted = True
            total.old_hits += event.hits
            total.old_driven |= event.driven
        elif event.module == function.module:
            total.new_counted = True
            total.new_hits += event.hits
            total.new_missed += event.missed
            total.new_driven |= event.driven
    return total


def _judge_calls(story: Story, chapter: Chapter, function: PatchedFunction, ledger: Ledger) -> None:
    what = f"calls of {function.old} while {function.module} is on"
    counted = _count(chapter, function)
    blind = _untraceable(story, function)
    if counted.old_hits:
        ledger.wrong(what, f"{counted.old_hits} entered the original", wanted="none")
    elif counted.old_counted:
        ledger.right(what, "none entered the original")
    elif "old" in blind:
        ledger.context(what, f"the original could not be counted: {blind['old']}")
    elif comes_late(function, story.recording):
        ledger.context(what, f"the original was not counted: {function.object} came late")
    else:
        ledger.missing(what, "those into the original were not counted")
    if counted.new_hits:
        ledger.right(what, f"{counted.new_hits} entered {function.new}")
    elif counted.new_missed:
        ledger.missing(what, f"all {counted.new_missed} into {function.new} were missed by kprobes")
    elif counted.new_driven:
        _judge_silence(story, function, what, ledger)
    elif counted.new_counted:
        ledger.context(what, f"nothing drove {function.new}")
    elif "new" in blind:
        ledger.context(what, f"{function.new} could not be counted: {blind['new']}")
    else:
        ledger.missing(what, f"those into {function.new} were not counted")


def _judge_silence(story: Story, function: PatchedFunction, what: str, ledger: Ledger) -> None:
    """Driven, yet neither version was entered: the counting failed, or the drive misses it.

    A patch cannot make a call vanish, so this says nothing of the patch; and proves nothing.
    """
    baseline = story.find(Phase.BASELINE)
    reached = baseline is not None and _count(baseline, function).old_hits
    before = "though the baseline's calls were" if reached else "in the baseline neither"
    ledger.missing(what, f"driven, but none was counted, {before}")


def _untraceable(story: Story, function: PatchedFunction) -> dict[str, str]:
    reasons: dict[str, str] = defaultdict(str)
    for _, event in story.recording.of(TracingUnavailable):
        if event.function in (function.old, function.new):
            reasons[event.side] = event.reason
    return reasons
