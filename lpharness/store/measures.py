"""What was measured in a trial, under names that stay the same from release to release."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from lpharness.results.figures import Figures, Stage
from lpharness.results.model import Trial

TRANSITION = "transition"
"""Guest seconds from *began* to *completed*; phases ``patching`` and ``unpatching``."""
STOP = "stop"
"""The longest time that a worker went without an operation, by part of the trial."""
THROUGHPUT = "throughput"
"""Operations per second of all workers, by part of the trial."""
HEARTBEAT = "heartbeat"
"""The longest that a CPU stood still of its own since the first load."""
START = "start"
"""Host seconds until the guest answered; the phase is ``boot`` or ``restore``."""
DURATION = "duration"
"""Host seconds of each phase of the trial."""
ERRORS = "errors"
"""Errors that the workers told of."""

BEFORE, DURING, PATCHED, AFTER = "before", "during", "patched", "after"
"""The parts of a trial that are compared: see `lpharness.results.figures`."""
HIGHER_IS_BETTER = frozenset({THROUGHPUT})

_STAND_STILL = "a CPU's stand-still"
"""The margin of the check ``heartbeat``; where the host's share is unknown, it has another name."""


class Measure(Struct, frozen=True, kw_only=True):
    """One thing that was measured."""

    name: str
    value: float
    unit: str
    phase: str = ""
    of: str = ""
    """Whose: the livepatch's name, where there may be several."""


def measures(trial: Trial, figures: Figures) -> list[Measure]:
    """Gather what a trial's document and its figures tell."""
    return [
        *_transitions(figures),
        *_stages(figures),
        *_heartbeat(trial),
        *_times(trial, figures),
    ]


def _transitions(figures: Figures) -> Iterator[Measure]:
    for move in figures.transitions:
        if move.seconds is not None:
            yield Measure(
                name=TRANSITION, phase=move.direction, of=move.patch, value=move.seconds, unit="s"
            )


def _stages(figures: Figures) -> Iterator[Measure]:
    named: list[tuple[str, Stage | None]] = [
        (BEFORE, figures.before),
        (DURING, figures.during),
        (PATCHED, figures.between),
        (AFTER, figures.after),
    ]
    for phase, stage in named:
        if stage is None:
            continue
        if stage.per_second is not None:
            yield Measure(name=THROUGHPUT, phase=phase, value=stage.per_second, unit="1/s")
        if stage.longest_gap_s is not None:
            yield Measure(name=STOP, phase=phase, value=stage.longest_gap_s, unit="s")
    if any(stage for _, stage in named):
        yield Measure(name=ERRORS, value=figures.errors, unit="")


def _heartbeat(trial: Trial) -> Iterator[Measure]:
    margins = [
        piece.margin
        for check in trial.checks
        for piece in check.evidence
        if piece.margin is not None and piece.margin.name == _STAND_STILL
    ]
    if margins:
        longest = max(margin.measured for margin in margins)
        yield Measure(name=HEARTBEAT, value=longest, unit="s")


def _times(trial: Trial, figures: Figures) -> Iterator[Measure]:
    if figures.start_s is not None:
        yield Measure(name=START, phase=figures.how, value=figures.start_s, unit="s")
    for phase, seconds in trial.phases.items():
        yield Measure(name=DURATION, phase=phase, value=seconds, unit="s")
