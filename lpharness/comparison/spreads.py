"""Times for a person, out of several."""

from __future__ import annotations

from lpharness.comparison.summary import Spread
from lpharness.results import text


def spread_of(found: Spread | None) -> str:
    """Return the median, and from the least to the most of several; a dash for none."""
    if found is None or found.count == 1:
        return text.seconds(found.median if found else None)
    middle, least, most = map(text.seconds, (found.median, found.least, found.most))
    return f"{middle} ({least} to {most})"
