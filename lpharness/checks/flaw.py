"""Is the flaw real, and is it gone with the patch on?

The first is asked of a guest of its own, which never had the patch. A patch whose flaw was not seen
there has done no wrong; but it has proved nothing either, so nobody can say: ``error``.
"""

from __future__ import annotations

from collections.abc import Sequence

from lpharness.cases.model import Flaw, Outcome, Signs
from lpharness.checks.contract import Recording
from lpharness.checks.ledger import Ledger
from lpharness.checks.places import described, source_places
from lpharness.checks.probing import mismatches, quote
from lpharness.checks.story import Story
from lpharness.console import Finding, classify_text
from lpharness.results.model import CheckResult, Verdict
from lpharness.timeline.events import FlawTried, GuestEnded, Note

_BAD = ("fatal", "bad")

Tried = tuple[int, FlawTried]


def check_flaw(recording: Recording) -> CheckResult:
    """Hold the trigger against what the case says, without the patch and with it."""
    ledger = Ledger("flaw")
    flaw = recording.case.flaw
    if flaw is None:
        return ledger.skip("the case describes no flaw")
    with ledger.of_control():
        _judge_unpatched(flaw, recording.control, ledger)
    story = Story(recording)
    _judge_patched(flaw, story, ledger)
    if flaw.returns and flaw.unpatched.outcome is not None:
        _judge_return(flaw.unpatched.outcome, story, ledger)
    return ledger.result("seen without the patch, gone with it", died=story.died)


def signs_seen(signs: Signs, findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings that are what a flaw shows on the console."""
    return [
        found
        for found in findings
        if (found.name in signs.console if signs.console else found.severity in _BAD)
        and (not signs.functions or _function(found) in signs.functions)
    ]


def _function(found: Finding) -> str:
    """Return the function that a report is about, without what the compiler added to its name."""
    return found.function.partition("+")[0].partition(".")[0]


def _judge_unpatched(flaw: Flaw, control: Recording | None, ledger: Ledger) -> None:
    what = "trigger without the patch"
    if control is None:
        ledger.missing(what, "there was no control guest")
        return
    tried = _last(control, patched=False)
    if tried is None:
        ledger.missing(what, _why_not_tried(control))
        return
    event = tried[1]
    if flaw.unpatched.on_console:
        _judge_console(flaw.unpatched, control, tried, ledger)
    if flaw.unpatched.outcome is not None:
        faults = _faults(flaw.unpatched.outcome, event)
        if faults:
            ledger.missing(what, f"the flaw was not seen: {_said(event)}; {faults[0]}", tried)
        else:
            ledger.right(what, _said(event), tried, wanted="the flaw, as the case describes it")
    else:
        ledger.context(what, _said(event), tried)


def _judge_console(signs: Signs, control: Recording, tried: Tried, ledger: Ledger) -> None:
    what = "console without the patch"
    findings = _since(control, tried)
    wanted = _wanted(signs)
    shown = signs_seen(signs, findings)
    for found in shown:
        ledger.right(what, _text(found, control), tried, wanted=wanted, console_line=found.line)
    if shown:
        return
    for found in findings:
        if found.severity in _BAD:
            ledger.context(what, _text(found, control), console_line=found.line)
    ledger.missing(what, f"the flaw was not seen: no {wanted}", tried)


def _judge_patched(flaw: Flaw, story: Story, ledger: Ledger) -> None:
    what = "trigger with the patch"
    recording = story.recording
    tried = _last(recording, patched=True)
    if tried is None:
        ledger.missing(what, "was not run")
        return
    event = tried[1]
    if flaw.unpatched.on_console:
        for found in signs_seen(flaw.unpatched, _since(recording, tried)):
            ledger.wrong(
                "console with the patch", f"the flaw is still there: {_text(found, recording)}",
                tried,
                wanted=f"no {_wanted(flaw.unpatched)}", console_line=found.line,
            )  # fmt: skip
    death = story.death
    if event.exit_status is None and death and death.verdict is Verdict.FAIL:
        ledger.wrong(what, death.text, death.at, wanted="it comes back")
    elif event.exit_status is None:
        ledger.missing(what, event.detail or "never came back", tried)
    elif faults := _faults(flaw.patched, event):
        ledger.wrong(what, f"{_said(event)}; {faults[0]}", tried, wanted="as the case says")
    else:
        ledger.right(what, _said(event), tried)


def _judge_return(outcome: Outcome, story: Story, ledger: Ledger) -> None:
    """Without the patch the flaw must be back: else something of the patch is."""
    what = "trigger after the unload"
    tried = _last(story.recording, patched=False)
    if tried is None:
        ledger.missing(what, "was not run")
    elif tried[1].exit_status is None:
        ledger.missing(what, tried[1].detail or "never came back", tried)
    elif faults := _faults(outcome, tried[1]):
        seen = f"the flaw did not come back: {_said(tried[1])}; {faults[0]}"
        ledger.wrong(what, seen, tried, wanted="the flaw, as the case describes it")
    else:
        ledger.right(what, _said(tried[1]), tried, wanted="the flaw, as the case describes it")


def _last(recording: Recording, *, patched: bool) -> Tried | None:
    found = [at for at in recording.of(FlawTried) if at[1].patched is patched]
    return found[-1] if found else None


def _why_not_tried(control: Recording) -> str:
    """Return what the harness wrote down last of a control guest that came to nothing."""
    ends = [event.condition for _, event in control.of(GuestEnded)]
    notes = [event.text for _, event in control.of(Note)]
    why = notes[-1] if notes else "the trial ended before"
    return f"was not run: {why}" + (f" (the guest {ends[-1]})" if ends else "")


def _since(recording: Recording, tried: Tried) -> list[Finding]:
    """Return what the console showed from the trigger on, by today's classifier."""
    findings = classify_text("\n".join(recording.console))
    return [found for found in findings if found.line > tried[1].console_lines]


def _faults(outcome: Outcome, event: FlawTried) -> list[str]:
    if event.exit_status is None:
        return [event.detail or "never came back"]
    return mismatches(outcome, event)


def _said(event: FlawTried) -> str:
    if event.exit_status is None:
        return f"never came back: {event.detail}"
    return f"exit {event.exit_status}, {quote(event.stdout)}"


def _text(found: Finding, recording: Recording) -> str:
    detail = described(found, source_places(recording))
    return f"{found.text} ({detail})" if detail else found.text


def _wanted(signs: Signs) -> str:
    kinds = " or ".join(signs.console) or "report of a fault"
    return f"{kinds} in {' or '.join(signs.functions)}" if signs.functions else kinds
