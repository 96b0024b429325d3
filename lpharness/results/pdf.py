"""Pictures as PDF, for a paper: vectors, with the fonts that they need inside."""

from __future__ import annotations

from importlib.util import find_spec

MISSING = "pip install 'lpharness[pdf]'"


def why_not() -> str:
    """Say why no PDF can be made; empty if it can."""
    if find_spec("cairosvg") is None:
        return f"CairoSVG is not installed: {MISSING}"
    try:
        import cairosvg  # noqa: F401  # binds to the C library
    except OSError:
        return "the C library cairo is not installed: apt install libcairo2"
    return ""


def pdf_of(svg: str) -> bytes:
    """Return a picture of ours as PDF; only where `why_not` says nothing."""
    import cairosvg

    made: bytes = cairosvg.svg2pdf(bytestring=svg.encode())
    return made
