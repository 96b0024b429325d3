"""Holding what a probe printed against what the case says it must."""

from __future__ import annotations

import re

import msgspec

from lpharness.cases.model import Outcome, Probe, Text
from lpharness.checks.ledger import Ledger
from lpharness.checks.story import Chapter, Story, due_state
from lpharness.timeline.events import FlawTried, Probed

_SHOWN = 160  # characters of a stream that evidence quotes


def judge_probes(story: Story, chapter: Chapter, ledger: Ledger) -> None:
    """Hold every probe of the case against what is due in a chapter; each must have been run."""
    state = due_state(chapter.phase, chapter.module)
    seen: set[str] = set()
    probes = {probe.name: probe for probe in story.recording.case.probes}
    for index, event in chapter.of(Probed):
        probe = probes.get(event.probe)
        if probe is None:
            ledger.context(f"probe {event.probe}", "the case has no such probe", (index, event))
            continue
        seen.add(event.probe)
        faults = mismatches(probe.outcome(state), event)
        what = f"probe {event.probe} in {chapter.phase.value}"
        said = f"exit {event.exit_status}, {quote(event.stdout)}"
        if faults:
            ledger.wrong(what, f"{said}; {faults[0]}", (index, event), wanted=_due(probe, state))
        else:
            ledger.right(what, said, (index, event), wanted=_due(probe, state))
    for name in probes.keys() - seen:
        ledger.missing(f"probe {name} in {chapter.phase.value}", "was not run")


def mismatches(outcome: Outcome, event: Probed | FlawTried) -> list[str]:
    """Return what is not as the outcome demands, in words; empty if all is."""
    faults = []
    if outcome.exit is not None and event.exit_status != outcome.exit:
        faults.append(f"exit status is not {outcome.exit}")
    faults += _text_faults("stdout", outcome.stdout, event.stdout)
    faults += _text_faults("stderr", outcome.stderr, event.stderr)
    return faults


def _due(probe: Probe, state: str) -> str:
    """Return what a state asks of a probe, in words."""
    outcome = probe.outcome(state)
    asked = [] if outcome.exit is None else [f"exit {outcome.exit}"]
    for stream, text in (("stdout", outcome.stdout), ("stderr", outcome.stderr)):
        for verb, words in msgspec.structs.asdict(text).items():
            if words is not None:
                asked.append(f"{stream} {verb} {quote(words)}")
    return f"state {state}: {', '.join(asked) or 'anything'}"


def _text_faults(stream: str, text: Text, said: str) -> list[str]:
    faults = []
    if text.equals is not None and said.rstrip() != text.equals.rstrip():
        faults.append(f"{stream} is not {quote(text.equals)}")
    if text.contains is not None and text.contains not in said:
        faults.append(f"{stream} lacks {quote(text.contains)}")
    if text.lacks is not None and text.lacks in said:
        faults.append(f"{stream} contains {quote(text.lacks)}")
    if text.matches is not None and not re.search(text.matches, said, re.MULTILINE):
        faults.append(f"{stream} does not match {quote(text.matches)}")
    return faults


def quote(text: str) -> str:
    """Return a stream's text as evidence quotes it: the beginning of a long one."""
    text = text.rstrip()
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
