"""How the tasks moved in each transition, and who held it up."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct, field

from lpharness.results.clock import GuestClock
from lpharness.results.figures import Figures, Transition
from lpharness.results.picture import Axis, Tick
from lpharness.results.throughput import SECOND
from lpharness.timeline.events import Event, TaskMoved, TasksSampled

_FEWEST_SAMPLES = 2
_SLACK_NS = SECOND // 10
"""The kernel sets its tasks' states a little before it says that the transition began."""
_LONG_NS = SECOND // 2
_MOST_STEPS = 400
_MOST_BLOCKERS = 12


class Held(Struct, kw_only=True):
    """A task that was seen not to have moved yet."""

    pid: int
    comm: str
    kthread: bool
    state: str
    stack: tuple[str, ...]
    """The last one that was seen."""
    first_s: float
    """Guest seconds after the transition began."""
    last_s: float


class TaskPicture(Struct, kw_only=True):
    """A stacked area of one transition: patched below, unpatched above."""

    patch: str
    direction: str
    result: str
    open: bool
    moves: int
    """How many tasks were seen to move."""
    blockers: list[Held]
    more_blockers: int
    patched: str = ""
    """An SVG path in a box of 1000 by 100; empty if it was over before two samples were taken."""
    tasks: int = 0
    ticks: list[Tick] = field(default_factory=list)
    alt: str = ""
    note: str = ""


def task_pictures(events: Sequence[Event], figures: Figures) -> list[TaskPicture]:
    """Return a picture for each transition."""
    clock = GuestClock(events)
    return [_picture(events, clock, move) for move in figures.transitions]


def _picture(events: Sequence[Event], clock: GuestClock, move: Transition) -> TaskPicture:
    target = 1 if move.direction == "patching" else 0
    samples = [
        (clock.of(event), event)
        for event in events
        if isinstance(event, TasksSampled)
        and event.target == target
        and _ours(event, clock, move)
        # Most tasks idle: the sample fell on the beginning or the end of the transition.
        and event.unpatched + event.patched > event.idle
    ]
    moved = {
        (event.pid, event.comm)
        for event in events
        if isinstance(event, TaskMoved) and event.to == target and _ours(event, clock, move)
    }
    held = _held(samples, move.began_ns)
    picture = TaskPicture(
        patch=move.patch,
        direction=move.direction,
        result=move.outcome,
        open=move.ended != "completed",
        moves=len(moved),
        blockers=held[:_MOST_BLOCKERS],
        more_blockers=max(0, len(held) - _MOST_BLOCKERS),
    )
    if len(samples) >= _FEWEST_SAMPLES:
        _draw(picture, samples, move, target)
    return picture


def _ours(event: TasksSampled | TaskMoved, clock: GuestClock, move: Transition) -> bool:
    at = clock.of(event)
    ended = move.ended_ns
    return (
        event.patch == move.patch
        and at >= move.began_ns - _SLACK_NS
        and (ended is None or at <= ended)
    )


def _draw(
    picture: TaskPicture,
    samples: Sequence[tuple[int, TasksSampled]],
    move: Transition,
    target: int,
) -> None:
    axis = Axis(move.began_ns, move.ended_ns or samples[-1][0])
    completed = move.ended == "completed"
    picture.patched = _path(samples, axis, whole=target if completed else None)
    picture.tasks = max(event.unpatched + event.patched for _, event in samples)
    picture.ticks = axis.ticks(4, zero_ns=move.began_ns)
    left = [(at, event.unpatched if target else event.patched) for at, event in samples]
    picture.alt = (
        f"{move.direction}, {move.outcome}: {len(samples)} samples; "
        f"in the last, {left[-1][1]} of {picture.tasks} tasks had not moved"
    )
    settled = next((at for at, count in left if not count), None)
    if settled is not None and axis.ended_ns - settled > _LONG_NS:
        picture.note = (
            "All tasks in /proc had moved well before the end. The CPUs' own idle tasks are not in "
            "/proc, and the kernel looks only once a second."
        )


def _path(samples: Sequence[tuple[int, TasksSampled]], axis: Axis, whole: int | None) -> str:
    """Return the patched share as steps; ``whole`` is what a completed transition ends at."""
    every = -(-len(samples) // _MOST_STEPS)
    first = samples[0][1]
    height = _height(first.patched, first.unpatched)
    path = [f"M0,100V{height}"]
    for at, event in [*samples[::every], samples[-1]]:
        path.append(f"H{axis.x(at) * 10:.1f}V{_height(event.patched, event.unpatched)}")
    end = "" if whole is None else f"V{0 if whole else 100}"
    return "".join(path) + f"H1000{end}V100Z"


def _height(patched: int, unpatched: int) -> float:
    return round(100 - 100 * patched / (patched + unpatched), 1)


def _held(samples: Sequence[tuple[int, TasksSampled]], began_ns: int) -> list[Held]:
    found: dict[tuple[int, str], Held] = {}
    for at, event in samples:
        after = (at - began_ns) / SECOND
        for blocker in event.blockers:
            key = blocker.pid, blocker.comm
            if key not in found:
                found[key] = Held(
                    pid=blocker.pid,
                    comm=blocker.comm,
                    kthread=blocker.kthread,
                    state=blocker.state,
                    stack=blocker.stack,
                    first_s=after,
                    last_s=after,
                )
            held = found[key]
            held.last_s, held.state = after, blocker.state
            held.stack = blocker.stack or held.stack
    return sorted(found.values(), key=lambda held: (-held.last_s, held.first_s, held.pid))
