"""What the tests of the site share: pages as elements and texts, and books without a database."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from urllib.parse import unquote

from html_page import HtmlPage

from lpharness.results.model import Verdict
from lpharness.site.book import Book
from lpharness.site.pages import Assets
from lpharness.store.history import Failing, History
from lpharness.store.runs import Run
from lpharness.store.trend import Point, Trend
from lpharness.store.trials import Found, Line

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
ABOUT = Assets(written=NOW)


class Page(HtmlPage):
    """A page of the site."""

    @property
    def skeleton(self) -> list[tuple[str, tuple[str, ...]]]:
        """The elements with the names of their attributes: what text must never change."""
        return [(tag, tuple(sorted(attrs))) for tag, attrs in self.elements]

    def links(self, path: str) -> list[str]:
        """Return where the links of a page at a path lead, without what follows a ``#``."""
        folder = PurePosixPath(path).parent
        found = []
        for _, attrs in self.elements:
            for name in ("href", "src"):
                target = attrs.get(name, "").partition("#")[0]
                if target and target != "data:,":
                    assert re.fullmatch(r"[\w.+/~-]+", target), target
                    found.append(_resolved(folder, unquote(target)))
        return found


def _resolved(folder: PurePosixPath, target: str) -> str:
    parts: list[str] = [] if str(folder) == "." else list(folder.parts)
    for part in target.split("/"):
        if part == "..":
            assert parts, f"{target} climbs out of the site"
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


def found(
    number: int = 1,
    verdict: Verdict = Verdict.PASS,
    *,
    case: str = "hot",
    variant: str = "",
    target: str = "debian:6.1-cloud",
    workload: str = "idle",
    model: str = "hybrid",
    run: str = "r1",
    repeat: int = 0,
    kernel: str = "6.1.0-56-cloud-amd64",
    reason: str = "",
    title: str = "",
    slug: str = "",
    attempt: int = 1,
    latest: bool = True,
) -> Found:
    """Return a trial in short."""
    return Found(
        id=number,
        run=run,
        slug=slug or f"{case}--{kernel}--{workload}--r{repeat}",
        line=Line(
            case=case, variant=variant, target=target, workload=workload, model=model,
            backend="qemu",
        ),
        kernel=kernel,
        repeat=repeat,
        attempt=attempt,
        latest=latest,
        verdict=verdict,
        reason=reason,
        finished=True,
        started_at=NOW + timedelta(minutes=number),
        seconds=10.0,
        subject="s",
        kernel_version="1",
        title=title,
        accelerator="tcg",
    )  # fmt: skip


def book(
    trials: list[Found],
    *,
    cves: dict[int, list[str]] | None = None,
    flaws: dict[int, Verdict] | None = None,
    known: dict[str, dict[str, str]] | None = None,
    tag: str = "v1",
    run_name: str = "run",
    changed: str = "kernel 1 to 2",
) -> Book:
    """Return a book of trials; each of their runs bears the tag, and each line fails."""
    lines: dict[Line, list[Found]] = {}
    for trial in trials:
        lines.setdefault(trial.line, []).append(trial)
    runs = [
        Run(key=key, name=run_name, created_at=NOW, folder="", tags=(tag,),
            verdicts={Verdict.PASS: 1, Verdict.FAIL: 2})
        for key in dict.fromkeys(trial.run for trial in trials)
    ]  # fmt: skip
    return Book(
        runs=runs,
        histories=[
            History(
                line=line,
                trials=tuple(past),
                failing=Failing(since=past[-1], before=past[0], changed=(changed,)),
                flaky=True,
            )
            for line, past in sorted(lines.items())
        ],
        cves=cves or {},
        flaws_shown=flaws or {},
        trends=[
            Trend(line=line, name="transition", phase="patching", unit="s",
                  points=(Point(release=tag, at=NOW, values=(0.5, 0.7, 0.9)),
                          Point(release=f"{tag}2", at=NOW, values=(1.5,))))
            for line in lines
        ],
        known_flaws=known,
    )  # fmt: skip
