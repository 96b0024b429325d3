"""The HTML report: one file that needs no network, made of templates that escape everything.

The page's content security policy allows exactly the style and the script that it carries, by
their hashes, and nothing else: whatever slipped through as markup could neither run nor load.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from lpharness.results import picture, tasks
from lpharness.results.excerpt import excerpt
from lpharness.results.flaky import flaky
from lpharness.results.folder import Heading
from lpharness.results.markdown import headline
from lpharness.results.model import WORST_FIRST, Provenance, Trial, Verdict
from lpharness.results.story import Story
from lpharness.results.text import block, one_line, rate, seconds, visible


class HtmlReport:
    """Collects trials, each rendered as it is added, then makes the page."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._judged: list[Heading] = []
        self._parts: list[tuple[Verdict, Markup]] = []
        self._provenance: Provenance | None = None

    def add(self, story: Story) -> None:
        """Render a trial; nothing else of the story is kept."""
        trial = story.trial
        self.mention(Heading(id=trial.id, verdict=trial.verdict, started_at=trial.started_at))
        if self._provenance is None and trial.provenance.lpharness:
            self._provenance = trial.provenance
        self._parts.append((trial.verdict, _rendered("trial.html", story)))

    def mention(self, heading: Heading) -> None:
        """Count a trial, of which the page tells no more."""
        self._judged.append(heading)

    def render(self) -> str:
        """Return the page."""
        style, script = data("report.css"), data("report.js")
        counts = Counter(one.verdict for one in self._judged)
        return (
            environment()
            .get_template("report.html")
            .render(
                name=self._name,
                headline=headline(self._judged),
                flaky=flaky(self._judged),
                mentioned=len(self._judged) - len(self._parts),
                shares=verdict_shares(counts),
                counts=[(verdict, counts[verdict]) for verdict in WORST_FIRST if counts[verdict]],
                parts=self._worst_first(),
                provenance=self._provenance,
                started=min((one.started_at for one in self._judged if one.started_at), default=""),
                written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
                style=Markup(style),  # noqa: S704  # our own file
                script=Markup(script),  # noqa: S704  # our own file
                style_hash=csp_hash(style),
                script_hash=csp_hash(script),
            )
        )

    def _worst_first(self) -> list[Markup]:
        """Return the rendered trials, those first that somebody must look at."""
        ranked = sorted(self._parts, key=lambda pair: worst_first(pair[0]))
        return [part for _, part in ranked]


def article(story: Story, key: str) -> Markup:
    """Return all that is known of a trial for a page of its own.

    Args:
        story: the trial.
        key: what the ids in it begin with.
    """
    return _rendered("article.html", story, key=key, folder="")


def _rendered(template: str, story: Story, **more: str) -> Markup:
    text = (
        environment()
        .get_template(template)
        .render(
            story=story,
            trial=story.trial,
            id=story.trial.id,
            figures=story.figures,
            timeline=picture.timeline_picture(story.events, story.figures),
            transitions=tasks.task_pictures(story.events, story.figures),
            console=excerpt(story.console, story.events, _cited(story.trial, control=False)),
            control=excerpt(
                story.control_console, story.control_events, _cited(story.trial, control=True)
            ),
            **more,
        )
    )
    return Markup(text)  # noqa: S704  # rendered with autoescape just above


def worst_first(verdict: Verdict) -> int:
    """Return where a verdict stands on the page: first what somebody must look at."""
    return WORST_FIRST.index(verdict)


def _cited(trial: Trial, *, control: bool) -> list[int]:
    """Return the lines of a console, the trial's or its control's, that evidence names."""
    evidence = (item for check in trial.checks for item in check.evidence)
    return [
        item.console_line
        for item in evidence
        if item.console_line is not None and item.control is control
    ]


def verdict_shares(counts: Counter[Verdict]) -> list[tuple[Verdict, float, float]]:
    """Return where each verdict's part of the bar begins and how wide it is, in per cent."""
    total = counts.total() or 1
    shares, x = [], 0.0
    for verdict in WORST_FIRST:
        if counts[verdict]:
            width = counts[verdict] * 100 / total
            shares.append((verdict, round(x, 3), round(width, 3)))
            x += width
    return shares


@cache
def environment(package: str = "lpharness.results") -> Environment:
    """Return what renders the templates of a package: it escapes all that they print."""
    environment = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters |= {
        "seconds": seconds,
        "rate": rate,
        "block": block,
        "one_line": one_line,
        "moment": lambda ns: f"{ns / 1e9:.3f} s",
    }
    environment.globals |= {"bar_height": picture.BAR_HEIGHT, "gap_height": picture.GAP_HEIGHT}
    return environment


def _finalize(value: Any) -> Any:
    """Make whatever a template prints visible: escaping alone lets bidi overrides through."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def data(name: str) -> str:
    """Return a file that lies beside the templates."""
    return files("lpharness.results").joinpath("templates", name).read_text(encoding="utf-8")


def csp_hash(text: str) -> str:
    """Return what names a style or a script in a page's content security policy."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
