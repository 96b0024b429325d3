"""The geometry of the pictures: times in, per cent of the width and pixels of the height out.

Everything across is in per cent, so that a picture fits any width while its text keeps its size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from lpharness.results import throughput
from lpharness.results.clock import GuestClock
from lpharness.results.figures import Figures, Transition, phases
from lpharness.results.text import one_line, rate, seconds
from lpharness.results.throughput import SECOND
from lpharness.timeline.events import (
    ConsoleFound,
    Event,
    GuestEnded,
    GuestNotified,
    Phase,
    TransitionMarked,
)

BAR_HEIGHT = 100.0
GAP_HEIGHT = 44.0
_MOST_BARS = 160
_TOLD = frozenset(
    {
        "BLOCK_IO_ERROR",
        "GUEST_CRASHLOADED",
        "GUEST_PANICKED",
        "MEMORY_FAILURE",
        "POWERDOWN",
        "RESET",
        "SHUTDOWN",
        "WATCHDOG",
    }
)
"""QMP events that say something of the guest; others (``RESUME``) come of the harness's doing."""
_WIDE, _NARROW = 900, 320  # px of a picture on a desktop and on a phone
_LETTER = 6.7  # px that a letter of a label takes, about


class Block(Struct, frozen=True, kw_only=True):
    """Something that lasted: a phase, a transition."""

    x: float
    width: float
    label: str
    title: str
    kind: str
    fits: str
    """``all``, ``wide`` or ``none``: on which widths the label has room."""
    label_x: float
    anchor: str = "middle"


class Bar(Struct, frozen=True):
    """A column of a chart, ``y`` from the chart's top."""

    x: float
    width: float
    y: float
    height: float
    title: str


class Mark(Struct, frozen=True):
    """A moment worth a sign."""

    x: float
    kind: str
    title: str


class Tick(Struct, frozen=True):
    """A label of the axis."""

    x: float
    label: str
    anchor: str


class Axis:
    """The one time axis of a picture."""

    def __init__(self, began_ns: int, ended_ns: int) -> None:
        self.began_ns = began_ns
        self.ended_ns = max(ended_ns, began_ns + SECOND // 100)

    def x(self, at_ns: int) -> float:
        """Return where a moment is, in per cent, kept inside."""
        share = (at_ns - self.began_ns) / (self.ended_ns - self.began_ns)
        return round(min(100.0, max(0.0, share * 100)), 3)

    def width(self, began_ns: int, ended_ns: int) -> float:
        """Return how wide a span is, in per cent."""
        return round(self.x(ended_ns) - self.x(began_ns), 3)

    def ticks(self, most: int = 7, zero_ns: int = 0) -> list[Tick]:
        """Return round seconds after ``zero_ns``, at most ``most`` and a few."""
        began, ended = (self.began_ns - zero_ns) / SECOND, (self.ended_ns - zero_ns) / SECOND
        step = _round_step((ended - began) / most)
        digits = max(0, -math.floor(math.log10(step) + 1e-9))
        first, last = math.ceil(began / step - 1e-9), math.floor(ended / step + 1e-9)
        return [self._tick(zero_ns, n * step, digits) for n in range(first, last + 1)]

    def _tick(self, zero_ns: int, value: float, digits: int) -> Tick:
        x = self.x(zero_ns + round(value * SECOND))
        anchor = "start" if x < 3 else "end" if x > 97 else "middle"
        return Tick(x, f"{value:.{digits}f} s", anchor)


class TimelinePicture(Struct, kw_only=True):
    """Phases, transitions, throughput, gaps and findings on one axis."""

    phases: list[Block]
    transitions: list[Block]
    bars: list[Bar]
    gaps: list[Bar]
    marks: list[Mark]
    ticks: list[Tick]
    most_per_second: str = ""
    longest_gap: str = ""
    guest_time: bool = True
    alt: str = ""
    kinds: list[str] = field(default_factory=list)
    """Of the marks: what the legend must explain."""


def timeline_picture(events: Sequence[Event], figures: Figures) -> TimelinePicture | None:
    """Lay a timeline out; ``None`` if nothing in it lasted."""
    clock = GuestClock(events)
    chapters = [part for part in phases(events, clock) if part[0] is not Phase.BUILD]
    if not chapters:
        return None
    axis = Axis(chapters[0][1], max(end for _, _, end in chapters))
    crew = throughput.workers(events, clock)
    bars, most = _bars(crew, axis)
    gaps, longest = _gaps(crew, axis)
    marks = _marks(events, clock, axis)
    return TimelinePicture(
        phases=[_phase(axis, *part) for part in chapters if part[0] is not Phase.END],
        transitions=_transitions(axis, figures.transitions),
        bars=bars,
        gaps=gaps,
        marks=marks,
        ticks=axis.ticks(),
        most_per_second=rate(most) if bars else "",
        longest_gap=seconds(longest) if gaps else "",
        guest_time=clock.known,
        alt=_alt(chapters, figures),
        kinds=sorted({mark.kind for mark in marks}),
    )


def _phase(axis: Axis, phase: Phase, began: int, ended: int) -> Block:
    took = seconds((ended - began) / SECOND)
    return _block(axis, began, ended, phase.value, f"{phase.value}: {took}", phase.value)


def _transitions(axis: Axis, moves: Sequence[Transition]) -> list[Block]:
    """Lay the transitions out; one that is too short for its label has it beside itself."""
    blocks = []
    for number, move in enumerate(moves):
        later = moves[number + 1].began_ns if number + 1 < len(moves) else axis.ended_ns
        ended = axis.ended_ns if move.ended_ns is None else move.ended_ns
        label = f"{move.direction} {move.outcome}"
        title = f"{one_line(move.patch, 60)}: {label}{', forced' if move.forced else ''}"
        kind = move.direction if move.ended == "completed" else f"{move.direction} open"
        block = _block(axis, move.began_ns, ended, label, title, kind)
        room = _fits(axis.width(move.began_ns, later), label)
        if block.fits != "all" and room != "none":
            block = replace(block, fits=room, label_x=block.x, anchor="start")
        blocks.append(block)
    return blocks


def _block(axis: Axis, began: int, ended: int, label: str, title: str, kind: str) -> Block:
    x, width = axis.x(began), axis.width(began, ended)
    return Block(
        x=x,
        width=width,
        label=label,
        title=title,
        kind=kind,
        fits=_fits(width, label),
        label_x=round(x + width / 2, 3),
    )


def _fits(width: float, label: str) -> str:
    """Return on which widths of the picture a label has room in ``width`` per cent of it."""
    needed = len(label) * _LETTER + 8
    return next(
        (name for name, px in (("all", _NARROW), ("wide", _WIDE)) if width * px / 100 > needed),
        "none",
    )


def _bars(crew: Sequence[throughput.Worker], axis: Axis) -> tuple[list[Bar], float]:
    found = throughput.rates(crew)
    if not found:
        return [], 0.0
    merged = [_mean(chunk) for chunk in _chunks(found)]
    most = max(each.per_second for each in merged)
    return [
        Bar(
            axis.x(each.began_ns),
            axis.width(each.began_ns, each.ended_ns),
            *_column(each.per_second, most, BAR_HEIGHT),
            f"{each.began_ns / SECOND:.2f} s: {rate(each.per_second)}",
        )
        for each in merged
    ], most


def _mean(chunk: Sequence[throughput.Rate]) -> throughput.Rate:
    width = chunk[-1].ended_ns - chunk[0].began_ns
    done = sum(each.per_second * (each.ended_ns - each.began_ns) for each in chunk)
    return throughput.Rate(chunk[0].began_ns, chunk[-1].ended_ns, done / width if width else 0.0)


def _chunks(found: Sequence[throughput.Rate]) -> list[Sequence[throughput.Rate]]:
    size = math.ceil(len(found) / _MOST_BARS)
    return [found[start : start + size] for start in range(0, len(found), size)]


def _gaps(crew: Sequence[throughput.Worker], axis: Axis) -> tuple[list[Bar], float]:
    """Return the longest gap of any worker in each slice of the axis."""
    covered = throughput.span(crew)
    if covered is None:
        return [], 0.0
    first = covered[0]  # so that the slices stand under the bars of the throughput
    slice_ns = max(throughput.BIN_NS, (axis.ended_ns - axis.began_ns) // _MOST_BARS)
    worst: dict[int, throughput.Gap] = {}
    for gap in throughput.gaps(crew):
        place = (gap.ended_ns - first) // slice_ns
        if place not in worst or gap.gap_ns > worst[place].gap_ns:
            worst[place] = gap
    most = max((gap.gap_ns for gap in worst.values()), default=0)
    return [
        Bar(
            axis.x(first + place * slice_ns),
            round(slice_ns * 100 / (axis.ended_ns - axis.began_ns), 3),
            *_column(gap.gap_ns, most, GAP_HEIGHT),
            f"{gap.ended_ns / SECOND:.2f} s: longest gap {seconds(gap.gap_ns / SECOND)}, "
            f"{one_line(gap.worker, 60)}",
        )
        for place, gap in sorted(worst.items())
    ], most / SECOND


def _column(value: float, most: float, height: float) -> tuple[float, float]:
    tall = round(height * value / most, 2) if most else 0.0
    return round(height - tall, 2), tall


def _marks(events: Sequence[Event], clock: GuestClock, axis: Axis) -> list[Mark]:
    marks = []
    for event in events:
        at = clock.of(event)
        match event:
            case ConsoleFound(severity="expected"):
                continue
            case ConsoleFound():
                kind = event.severity if event.severity in ("fatal", "bad", "odd") else "odd"
                text = f"console: {one_line(event.name, 60)}: {one_line(event.text, 120)}"
            case GuestEnded():
                kind, text = "ended", f"guest {event.condition}: {one_line(event.detail, 120)}"
            case GuestNotified(name=name) if name in _TOLD:
                kind, text = "told", f"machine: {one_line(event.name, 60)}"
            case TransitionMarked(mark="forced" | "reversed"):
                kind, text = "moved", f"{one_line(event.patch, 60)}: {event.mark}"
            case _:
                continue
        marks.append(Mark(axis.x(at), kind, f"{at / SECOND:.2f} s, {text}"))
    return marks[:200]


def _alt(chapters: Sequence[tuple[Phase, int, int]], figures: Figures) -> str:
    parts = [
        f"{phase.value} {seconds((ended - began) / SECOND)}"
        for phase, began, ended in chapters
        if phase is not Phase.END
    ]
    text = "Phases: " + ", ".join(parts) + "."
    told = [f"{name} {rate(stage.per_second)}" for name, stage in figures.stages]
    return f"{text} Throughput: {', '.join(told)}." if told else text


def _round_step(wanted: float) -> float:
    """Return the least of 1, 2 and 5 times a power of ten that is not below ``wanted``."""
    power: float = 10.0 ** math.floor(math.log10(wanted))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= wanted * 0.999)
