"""How often a model looked at the tasks, who was in the way, how long the machine stood still."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from lpharness.checks.contract import Recording
from lpharness.checks.transitions import Transition
from lpharness.comparison.measured import Blocked, Stop
from lpharness.comparison.stillness import Stillness
from lpharness.timeline.events import Blocker, ModelTried


def tries(recording: Recording, transition: Transition) -> list[ModelTried]:
    """Return a transition's looks, of a model that tells of them."""
    return [
        event
        for _, event in recording.of(ModelTried)
        if event.patch == transition.patch and event.target == transition.target
    ]


def stops(looks: list[ModelTried], began_ns: int, stillness: Stillness) -> tuple[Stop, ...]:
    """Return the times that the machine stood still."""
    return tuple(
        Stop(
            at_s=(look.stop_began_ns - began_ns) / 1e9,
            seconds=(look.stop_ended_ns - look.stop_began_ns) / 1e9,
            call_s=((look.guest_ns or look.stop_ended_ns) - look.began_ns) / 1e9,
            tasks=look.tasks,
            frames=look.frames,
            felt_s=stillness.felt(look.stop_began_ns, look.stop_ended_ns),
        )
        for look in looks
        if look.stop_began_ns
    )


def blocked(recording: Recording, transition: Transition) -> tuple[Blocked, ...]:
    """Return who was in the way, the most often first: by the model's own looks, or by samples."""
    functions = {f.old for f in recording.functions} | {f.new for f in recording.functions}
    counts: Counter[tuple[str, str, bool]] = Counter()
    for blocker, reason in _seen(recording, transition):
        where = reason if reason in functions else _where(blocker, functions)
        counts[blocker.comm, where, blocker.kthread] += 1
    return tuple(
        Blocked(comm, function, kthread, looks)
        for (comm, function, kthread), looks in counts.most_common()
    )


def _seen(recording: Recording, transition: Transition) -> Iterator[tuple[Blocker, str]]:
    """Yield each task that was in the way with what a model says is in the way of it."""
    looks = tries(recording, transition)
    for look in looks:
        yield from zip(look.blockers, look.reasons, strict=False)
    for _, sample in transition.samples(recording) if not looks else ():
        yield from ((blocker, "") for blocker in sample.blockers)


def _where(blocker: Blocker, functions: set[str]) -> str:
    names = list(_names(blocker))
    patched = next((name for name in names if name in functions), None)
    waits = next((name for name in names if "schedule" not in name), None)
    return patched or waits or next(iter(names), "unknown")


def _names(blocker: Blocker) -> Iterator[str]:
    """Yield the functions on a stack: frames are ``name+offset/size``, perhaps `` [module]``."""
    for frame in blocker.stack:
        yield frame.split("+", 1)[0]
