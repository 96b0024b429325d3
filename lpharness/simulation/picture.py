"""Transition curves as SVG: the share of tasks that had moved, over time, a line for each model."""

from __future__ import annotations

from collections.abc import Sequence

from lpharness.results.curves import Curve
from lpharness.results.curves import curves_svg as draw
from lpharness.simulation.outcome import Outcome


def curves_svg(outcomes: Sequence[Outcome]) -> str:
    """Return the picture of simulations of one scenario."""
    curves = [
        Curve(
            model=each.model,
            label=each.model if each.outcome == "completed" else f"{each.model}, {each.outcome}",
            points=tuple((at, share) for at, share in each.curve),
        )
        for each in outcomes
    ]
    return draw(f"Share of tasks moved over time: {outcomes[0].scenario}", curves)
