"""Did every transition complete in time, and did it stall just where the case says it must?"""

from __future__ import annotations

import errno
import os
from collections import Counter

import msgspec

from lpharness.cases.model import Stall
from lpharness.checks.console_view import console_findings
from lpharness.checks.contract import Recording
from lpharness.checks.host_account import HostAccount
from lpharness.checks.ledger import Ledger
from lpharness.checks.story import Story
from lpharness.checks.transitions import At, Transition, due_transitions, seconds_between
from lpharness.results.model import CheckResult, Margin
from lpharness.timeline.events import (
    ActionTaken,
    Blocker,
    ModelTried,
    ModuleLoadTried,
    Phase,
    PhaseBegan,
    TasksSampled,
)

_WORTH_TELLING_S = 1.0


def check_transition(recording: Recording) -> CheckResult:
    """Judge the loads and the transitions of a recording."""
    story, ledger = Story(recording), Ledger("transition")
    _judge_loads(story, ledger)
    due = due_transitions(recording)
    for number, transition in enumerate(due):
        stall = recording.case.expect.stall if number == 0 else None
        _judge(story, transition, stall, ledger)
    took = [f"{t.name} {t.seconds:.2f} s" for t in due if t.seconds is not None]
    return ledger.result(", ".join(took), died=story.died)


def _judge_loads(story: Story, ledger: Ledger) -> None:
    recording = story.recording
    tried = {event.module: (index, event) for index, event in recording.of(ModuleLoadTried)}
    for module in recording.case.modules:
        what = f"load of {module.name}"
        if module.name not in tried:
            ledger.missing(what, "was not tried")
            continue
        index, event = tried[module.name]
        if event.errno == 0:
            ledger.right(what, f"took {event.seconds:.2f} s", (index, event))
        else:
            ledger.wrong(what, refusal(event.errno, event.detail), (index, event), wanted="loaded")
            _tell_reasons(story, ledger)


def _tell_reasons(story: Story, ledger: Ledger) -> None:
    """Note what livepatch itself says of a refusal: an error number has many reasons."""
    for found in console_findings(story):
        if found.after_load and found.name in ("livepatch-refused", "livepatch-failed"):
            ledger.context("the kernel's reason", found.text, console_line=found.line)


def refusal(number: int, detail: str) -> str:
    """Return an error number in words, with the kernel's own words where they were caught."""
    name = errno.errorcode.get(number, str(number))
    words = f"the kernel refused: {name} ({os.strerror(number)})"
    return f"{words}; {detail}" if detail else words


def _judge(story: Story, transition: Transition, stall: Stall | None, ledger: Ledger) -> None:
    bound = story.recording.case.expect.transition_bound(story.recording.accelerator)
    for mark in transition.reversals:
        ledger.wrong(transition.name, "was reversed before it completed", mark)
    for mark in transition.forced:
        if story.recording.case.expect.force:
            ledger.context(transition.name, "was forced, as the case allows", mark)
        else:
            ledger.wrong(transition.name, "was forced, which the case does not ask for", mark)
    if transition.completed is None:
        _judge_unfinished(story, transition, bound, ledger)
    elif transition.began is None:
        ledger.missing(f"begin of {transition.name}", "was not seen", transition.completed)
    elif stall is None:
        seconds = transition.seconds or 0.0
        own = _own(story.recording, transition, seconds)
        ledger.hold(
            transition.name,
            own <= bound,
            f"took {_told(seconds, own)}",
            f"at most {bound:g} s",
            transition.completed,
            margin=Margin(name=transition.direction, measured=own, bound=bound),
        )
    if stall is not None:
        _judge_stall(story, transition, stall, ledger)
    elif blocker := _last_blocker(story.recording, transition, until=None):
        ledger.context(f"last task in the way of {transition.name}", _tell(blocker[1]), blocker[0])


def _judge_unfinished(story: Story, transition: Transition, bound: float, ledger: Ledger) -> None:
    """Tell a transition that hung from one that the harness stopped watching too early."""
    what = f"completion of {transition.name}"
    if transition.began is None:
        ledger.missing(what, "neither its begin nor its end was seen")
        return
    watched = _watched(story, transition)
    own = _own(story.recording, transition, watched)
    blocker = _chief_blocker(story.recording, transition)
    by = f", held up by {_tell(blocker[1])}" if blocker else ""
    if transition.abandoned is not None:
        tries = _tries(story.recording, transition)
        seen = f"abandoned after {tries} tries{by}" if tries else f"abandoned{by}"
        ledger.wrong(what, seen, transition.abandoned, wanted="completed")
    elif own >= bound:
        at = blocker[0] if blocker else transition.began
        margin = Margin(name=transition.direction, measured=own, bound=bound)
        seen, wanted = f"not within {_told(watched, own)}{by}", f"within {bound:g} s"
        ledger.wrong(what, seen, at, wanted=wanted, margin=margin)
    else:
        ledger.missing(what, f"not seen in the {_told(watched, own)} that were watched{by}")


def _tries(recording: Recording, transition: Transition) -> int:
    """Return how often a model other than the kernel's says that it tried."""
    return sum(
        1
        for _, tried in recording.of(ModelTried)
        if tried.patch == transition.patch and tried.target == transition.target
    )


def _own(recording: Recording, transition: Transition, seconds: float) -> float:
    """Return what of a transition's time the guest had: the host may have kept its CPUs away.

    A busy host makes a transition long that the kernel does at its next retry; nobody may blame the
    patch for that. But what the guest's threads ran, spread over its CPUs, it had for certain,
    though others of its threads may have waited all the time.
    """
    assert transition.began is not None
    begin = transition.began[1].guest_ns
    if begin is None:
        return seconds
    account, end = HostAccount(recording), begin + round(seconds * 1e9)
    given = account.given(begin, end)
    if given is None:
        return max(seconds - account.waited_at_least(begin, end) / 1e9, 0.0)
    return given / 1e9


def _told(seconds: float, own: float) -> str:
    lost = seconds - own
    host = f", {lost:.1f} s of it by the host's doing" if lost >= _WORTH_TELLING_S else ""
    return f"{seconds:.2f} s{host}"


def _watched(story: Story, transition: Transition) -> float:
    """Return the seconds from a transition's begin to the last that was seen of it."""
    assert transition.began is not None
    samples = transition.samples(story.recording)
    later: list[At] = [at for at in samples if at[0] > transition.began[0]]
    events = enumerate(story.recording.events)
    later += [
        (i, e)
        for i, e in events
        if isinstance(e, PhaseBegan) and i > transition.began[0] and e.phase is Phase.END
    ]
    return max((seconds_between(transition.began, at) for at in later), default=0.0)


def _judge_stall(story: Story, transition: Transition, stall: Stall, ledger: Ledger) -> None:
    """The blocker must be the case's, be seen for long enough, and leave when it is let go."""
    release = _release(story.recording, ledger)
    if release is None or transition.began is None:
        return
    what = f"stall of {transition.name}"
    stalled = seconds_between(transition.began, release)
    if transition.completed is not None and _before(transition.completed, release):
        ledger.wrong(
            what,
            f"it completed after {transition.seconds or 0:.2f} s, before the release",
            transition.completed,
            wanted=f"stalled by {stall.comm} in {stall.function} until released",
        )
        return
    least = stall.seconds * 0.9  # the harness's sleep and its clock need not agree exactly
    if stalled < least:
        ledger.missing(what, f"watched for {stalled:.2f} s only, not {stall.seconds:g} s", release)
    else:
        margin = Margin(name="watch of a stall", measured=stalled, bound=least, least=True)
        seen = f"had not completed {stalled:.2f} s after its begin"
        ledger.right(what, seen, release, margin=margin)
    _judge_blocker(story.recording, transition, stall, release, ledger)
    if transition.completed is not None:
        bound = story.recording.case.expect.transition_bound(story.recording.accelerator)
        seconds = seconds_between(release, transition.completed)
        ledger.hold(
            f"completion of {transition.name} after the release",
            seconds <= bound,
            f"{seconds:.2f} s later",
            f"at most {bound:g} s",
            transition.completed,
            margin=Margin(name="patching after a release", measured=seconds, bound=bound),
        )


def _release(recording: Recording, ledger: Ledger) -> At | None:
    """Return the step that let the blocker go, at its begin: it may leave before the step ends."""
    taken = [(i, e) for i, e in recording.of(ActionTaken) if e.action.startswith("release")]
    if not taken:
        ledger.missing("release of the blocker", "was not run")
        return None
    index, event = taken[0]
    if event.exit_status != 0:
        ledger.missing(
            "release of the blocker", f"exit {event.exit_status}: {event.detail}", (index, event)
        )
        return None
    if event.began_ns is None:
        return index, event
    return index, msgspec.structs.replace(event, guest_ns=event.began_ns)


def _judge_blocker(
    recording: Recording, transition: Transition, stall: Stall, release: At, ledger: Ledger
) -> None:
    what = f"blocker of {transition.name}"
    wanted = f"{stall.comm} with {stall.function} on its stack"
    blockers = [
        (at, blocker)
        for at in transition.samples(recording)
        if not _before(release, at)
        for blocker in at[1].blockers
    ]
    named = [(at, b) for at, b in blockers if b.comm == stall.kept_comm]
    shown = next(((at, b) for at, b in named if _on_stack(stall.function, b)), None)
    if shown:
        ledger.right(what, _tell(shown[1]), shown[0])
    elif not blockers:
        ledger.missing(what, "no sample from before the release names one")
    elif not named:
        ledger.wrong(what, _tell(blockers[-1][1]), blockers[-1][0], wanted=wanted)
    elif not any(blocker.stack for _, blocker in named):
        ledger.missing(what, f"{_tell(named[-1][1])}: its stack could not be read", named[-1][0])
    else:
        ledger.wrong(what, _tell(named[-1][1]), named[-1][0], wanted=wanted)


def _last_blocker(
    recording: Recording, transition: Transition, until: At | None
) -> tuple[tuple[int, TasksSampled], Blocker] | None:
    found = None
    for at in transition.samples(recording):
        if at[1].blockers and (until is None or not _before(until, at)):
            found = (at, at[1].blockers[0])
    return found


def _chief_blocker(
    recording: Recording, transition: Transition
) -> tuple[tuple[int, TasksSampled], Blocker] | None:
    """Return the task that was in the way most often, as it was last seen there.

    Not whoever comes first in the last sample: that may be a task that just passes by.
    """
    seen = [(at, blocker) for at in transition.samples(recording) for blocker in at[1].blockers]
    often = Counter(blocker.pid for _, blocker in seen)
    return max(seen, key=lambda found: (often[found[1].pid], found[0][0]), default=None)


def _before(first: At, second: At) -> bool:
    a, b = first[1], second[1]
    if a.guest_ns is not None and b.guest_ns is not None:
        return a.guest_ns < b.guest_ns
    return first[0] < second[0]


def _on_stack(function: str, blocker: Blocker) -> bool:
    return any(frame.split("+", 1)[0] == function for frame in blocker.stack)


def _tell(blocker: Blocker) -> str:
    kind = "kernel thread" if blocker.kthread else "task"
    stack = " < ".join(blocker.stack[:8]) or "unknown"
    return f"{kind} {blocker.comm} ({blocker.pid}, {blocker.state}) in {stack}"
