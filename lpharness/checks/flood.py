"""Has the kernel talked on and on since it was changed?

A serial console takes some ten thousand bytes a second, and whoever prints waits for it: a patch
that talks without end keeps tasks from getting on, whatever it has to say, and drowns what else
there is to be heard.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import islice

from lpharness.checks.console_view import lines_since_change, without_numbers
from lpharness.checks.ledger import Ledger
from lpharness.checks.story import Story
from lpharness.console.lines import parse_line
from lpharness.results.model import Margin

FLOOD = "flood"
"""What `expect.console` of a case calls it."""
_MOST_LINES = 5_000
"""Clean trials come to 44 at most, the kernel's own tests to some hundreds."""
_LOOKED_AT = 2_000


def judge_flood(story: Story, ledger: Ledger) -> None:
    """Hold the number of lines since the load to what a kernel may have to say."""
    lines = lines_since_change(story)
    if not lines:
        return
    name = "console lines since the load"
    margin = Margin(name=name, measured=len(lines), bound=_MOST_LINES, unit="lines")
    if len(lines) <= _MOST_LINES:
        ledger.right(name, f"{len(lines):,}", wanted=f"at most {_MOST_LINES:,}", margin=margin)
        return
    seen = f"{len(lines):,} lines since the load, {_most_of(lines)}"
    if FLOOD in story.recording.case.expect.console:
        ledger.context(f"console: {FLOOD}", f"the case expects it: {seen}")
    else:
        wanted = f"at most {_MOST_LINES:,}"
        ledger.wrong(f"console: {FLOOD}", seen, wanted=wanted, margin=margin)


def _most_of(lines: Sequence[str]) -> str:
    """Return what most lines are like, by a sample of them."""
    step = max(1, len(lines) // _LOOKED_AT)
    sample = [parse_line(0, line.encode()).text for line in islice(lines, 0, None, step)]
    kinds = Counter(map(without_numbers, sample))
    ((kind, count),) = kinds.most_common(1)
    return f"{count / len(sample):.0%} of them like “{kind}”"
