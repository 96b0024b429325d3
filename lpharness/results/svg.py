"""SVG that stands alone: for a file, a page or a paper."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape


def standing_alone(title: str, width: int, height: int, parts: Iterable[str]) -> str:
    """Return a picture of some parts, on white, with a title for those who cannot see it."""
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="12" role="img">'
    )
    ground = f'<rect width="{width}" height="{height}" fill="#fff"/>'
    return "\n".join([opening, f"<title>{escape(title)}</title>", ground, *parts, "</svg>", ""])
