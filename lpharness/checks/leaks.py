"""Has the patch lost memory? Told by kmemleak's scan at a trial's end, where the kernel has it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from lpharness.checks.ledger import Ledger
from lpharness.checks.places import placed, source_places
from lpharness.checks.story import Story
from lpharness.timeline.events import Leak, LeaksScanned, ModuleLoadTried

KMEMLEAK = "kmemleak"
"""What `expect.console` of a case calls leaks that it provokes."""
_ALLOCATORS = re.compile(
    r"_*(?:k[mvz]*alloc|kmem_cache_alloc|kmemdup|kstrdup|krealloc|vmalloc|slab_|pcpu_alloc|"
    r"alloc_percpu)"
)
"""Functions at the top of a stack that are the same whoever loses the memory."""


def judge_leaks(story: Story, ledger: Ledger) -> None:
    """Hold what was lost since the first load against what was lost before."""
    scans = list(story.recording.of(LeaksScanned))
    if not scans:
        return
    at = scans[-1]
    scan = at[1]
    if scan.detail:
        ledger.context("memory leaks", scan.detail, at)
        return
    since = _load_began(story)
    before = {_stack(leak) for leak in scan.leaks if since is None or leak.allocated_ns < since}
    new = [leak for leak in scan.leaks if _stack(leak) not in before]
    if before:
        ledger.context("memory leaks", f"{len(before)} kinds from before the load", at)
    expected = KMEMLEAK in story.recording.case.expect.console
    places = source_places(story.recording)
    for leaks in _alike(new):
        text = _text(leaks, places)
        if expected:
            ledger.context("memory leak", f"the case expects it: {text}", at)
        else:
            ledger.wrong("memory leak", text, at, wanted="no memory lost")
    if not new:
        ledger.right("memory leaks", "none since the load, by kmemleak", at)


def _load_began(story: Story) -> int | None:
    """Return the guest's time at which the first livepatch was loaded."""
    for _, event in story.recording.of(ModuleLoadTried):
        if event.guest_ns is not None:
            return event.guest_ns - int(event.seconds * 1e9)
    return None


def _stack(leak: Leak) -> tuple[str, ...]:
    return leak.stack or (leak.comm, str(leak.bytes))


def _alike(leaks: Sequence[Leak]) -> list[list[Leak]]:
    """Put together what was allocated in the same way, the most frequent first."""
    by_stack: dict[tuple[str, ...], list[Leak]] = {}
    for leak in leaks:
        by_stack.setdefault(_stack(leak), []).append(leak)
    return sorted(by_stack.values(), key=len, reverse=True)


def _text(leaks: Sequence[Leak], places: Mapping[str, str]) -> str:
    sizes = Counter(leak.bytes for leak in leaks)
    size = ", ".join(
        f"{count} times {size}" if count > 1 else f"{size}" for size, count in sizes.items()
    )
    who = leaks[0]
    where = next((frame for frame in who.stack if not _ALLOCATORS.match(frame)), "")
    by = f" allocated in {placed(where, places)}" if where else ""
    return f"{size} bytes{by}, task {who.comm}:{who.pid}"
