"""How often old and new code met, as a case counts it itself: ``patches/contract``.

Such a case has a probe named ``meetings``, which prints a line a place: its name, and how often a
token of the old code came to the old, of the old to the new, of the new to the old, and of the new
to the new, since the guest began.
"""

from __future__ import annotations

import re

from lpharness.checks.contract import Recording
from lpharness.checks.story import Chapter, Story
from lpharness.checks.transitions import Direction
from lpharness.comparison.measured import Met
from lpharness.timeline.events import Phase, Probed

PROBE = "meetings"
_LINE = re.compile(r"^(\w+) (\d+) (\d+) (\d+) (\d+)$", re.MULTILINE)
_AROUND: dict[Direction, tuple[Phase, Phase]] = {
    "patching": (Phase.BASELINE, Phase.STEADY),
    "unpatching": (Phase.STEADY, Phase.AFTER),
}

Counts = dict[str, tuple[int, int, int, int]]


def parse(text: str) -> Counts:
    """Read what the probe printed: old to old, old to new, new to old, new to new, by place."""
    return {
        place: (int(oo), int(on), int(no), int(nn)) for place, oo, on, no, nn in _LINE.findall(text)
    }


def meetings(recording: Recording, direction: Direction) -> tuple[Met, ...]:
    """Return what was counted around a transition.

    From the end of the phase before it to that of the phase after it: who was still on the old way
    when it was over counts as well.
    """
    story = Story(recording)
    before, after = (_last(story.find(phase)) for phase in _AROUND[direction])
    if not before or not after:
        return ()
    found = []
    for place, counts in after.items():
        had = before.get(place, (0, 0, 0, 0))
        _, old_new, new_old, _ = more = [now - then for now, then in zip(counts, had, strict=True)]
        ahead, behind = (new_old, old_new) if direction == "patching" else (old_new, new_old)
        found.append(Met(place=place, tokens=sum(more), ahead=ahead, behind=behind))
    return tuple(found)


def _last(chapter: Chapter | None) -> Counts:
    said = [e for _, e in chapter.of(Probed) if e.probe == PROBE] if chapter else []
    return parse(said[-1].stdout) if said else {}
