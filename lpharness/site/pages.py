"""The site's pages but the trials' own: a path, and what renders it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from importlib.resources import files
from typing import Any

from msgspec import Struct

from lpharness.results.html import data as of_results
from lpharness.results.html import environment, verdict_shares
from lpharness.results.model import WORST_FIRST, Verdict
from lpharness.site import addresses
from lpharness.site.book import SIGNS, Book
from lpharness.site.charts import BARS_HEIGHT, TREND_HEIGHT, run_columns, top, trend_chart
from lpharness.site.flaws import State, flaw_rows
from lpharness.site.matrix import Matrix, matrix
from lpharness.store.history import History
from lpharness.store.runs import Run
from lpharness.store.trials import Found, Line

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)

Render = Callable[[], str]

NEWEST = 40
"""Trials of a line that its strip shows."""
MOST_RUNS = 60
"""Runs that the chart of the history shows."""
MOST_LINES = 300
"""Lines of a list: beyond that, the command line tells."""


class Assets(Struct, frozen=True, kw_only=True):
    """What is the same on each page."""

    live: bool = False
    """Whether a server is there to ask."""
    written: datetime

    @property
    def policy(self) -> str:
        """What a page may load: our own style and scripts, and nothing that stands in the page."""
        return POLICY


def assets() -> dict[str, str]:
    """Return the style and the scripts, by path."""
    ours = files("lpharness.site").joinpath("templates")
    return {
        "report.css": of_results("report.css"),
        "report.js": of_results("report.js"),
        **{
            name: ours.joinpath(name).read_text(encoding="utf-8")
            for name in ("site.css", "site.js", "live.js")
        },
    }


def templates_digest() -> str:
    """Return what changes when a page of the very same would look otherwise."""
    digest = hashlib.sha256()
    for package in ("lpharness.results", "lpharness.site"):
        for file in sorted(files(package).joinpath("templates").iterdir(), key=lambda f: f.name):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def pages(book: Book, about: Assets) -> dict[str, Render]:
    """Return all pages but those of trials: each is rendered when it is called for."""
    return dict(_pages(book, about))


def render(template: str, path: str, about: Assets, **values: Any) -> str:
    """Render a page that lies at a path."""
    return (
        environment("lpharness.site")
        .get_template(template)
        .render(
            root=addresses.up(path),
            path=path,
            about=about,
            signs=SIGNS,
            worst_first=WORST_FIRST,
            addresses=addresses,
            **values,
        )
    )


def _pages(book: Book, about: Assets) -> Iterator[tuple[str, Render]]:
    yield from _matrix_pages(
        addresses.INDEX, "now", matrix(book.newest()), about, book=book, runs=()
    )
    for name, runs in book.releases.items():
        path = addresses.release_page(name)
        yield from _matrix_pages(
            path, name, matrix(book.of_release(name)), about, book=book, runs=runs
        )
    for run in book.runs:
        path = addresses.run_page(run.key)
        laid = matrix(book.of_run.get(run.key, ()))
        yield from _matrix_pages(path, run.name, laid, about, book=book, runs=(run,))
    yield addresses.HISTORY, lambda: _history(book, about)
    yield addresses.FLAWS, lambda: _flaws(book, about)
    yield (
        addresses.RUNS,
        lambda: render("runs.html", addresses.RUNS, about, runs=book.runs, releases=book.releases),
    )
    for case, lines in book.cases.items():
        yield addresses.case_page(case), _case_page(book, case, lines, about)


def _matrix_pages(
    path: str, name: str, laid: Matrix, about: Assets, *, book: Book, runs: Sequence[Run]
) -> Iterator[tuple[str, Render]]:
    parts = laid.parts()

    def renderer(number: int) -> Render:
        at = addresses.part(path, number)
        return lambda: render(
            "matrix.html",
            at,
            about,
            name=name,
            matrix=laid,
            rows=parts[number - 1],
            counts=[(verdict, laid.counts[verdict]) for verdict in WORST_FIRST],
            number=number,
            pages=[addresses.part(path, n) for n in range(1, len(parts) + 1)],
            shares=verdict_shares(laid.counts),
            book=book,
            runs=runs,
            failing=sum(history.failing is not None for history in book.histories),
            flaky=sum(history.flaky for history in book.histories),
        )

    for number in range(1, len(parts) + 1):
        yield addresses.part(path, number), renderer(number)


def _history(book: Book, about: Assets) -> str:
    failing = [history for history in book.histories if history.failing]
    failing.sort(key=_since, reverse=True)
    flaky = [history for history in book.histories if history.flaky]
    return render(
        "history.html",
        addresses.HISTORY,
        about,
        failing=failing[:MOST_LINES],
        more_failing=max(0, len(failing) - MOST_LINES),
        flaky=flaky[:MOST_LINES],
        more_flaky=max(0, len(flaky) - MOST_LINES),
        columns=run_columns(book.runs[:MOST_RUNS][::-1]),
        more_runs=max(0, len(book.runs) - MOST_RUNS),
        bars_height=BARS_HEIGHT,
        cases={case: _now(lines) for case, lines in book.cases.items()},
        strip=strip,
    )


def _since(history: History) -> datetime:
    assert history.failing
    return history.failing.since.started_at


def _now(lines: Sequence[History]) -> list[tuple[Verdict, int]]:
    counts = Counter(history.last.verdict for history in lines)
    return [(verdict, counts[verdict]) for verdict in WORST_FIRST if counts[verdict]]


def _flaws(book: Book, about: Assets) -> str:
    rows = flaw_rows(book)
    counts = Counter(standing.state for row in rows for standing in row.standings)
    return render(
        "flaws.html",
        addresses.FLAWS,
        about,
        rows=rows,
        kernels=book.kernels,
        tried=book.cases,
        counts=[(state, counts[state]) for state in State],
    )


def _case_page(book: Book, case: str, lines: Sequence[History], about: Assets) -> Render:
    def rendered() -> str:
        trends = [book.trends[line.line] for line in lines if line.line in book.trends]
        most = top(trends)
        charts: dict[Line, Any] = {trend.line: trend_chart(trend, most) for trend in trends}
        return render(
            "case.html",
            addresses.case_page(case),
            about,
            case=case,
            title=next((line.last.title for line in lines if line.last.title), ""),
            cves=sorted({cve for line in lines for cve in book.cves.get(line.last.id, ())}),
            lines=lines,
            strips={line.line: strip(line.trials) for line in lines},
            charts=charts,
            height=TREND_HEIGHT,
        )

    return rendered


def strip(trials: Sequence[Found]) -> list[tuple[Found, str]]:
    """Return the newest trials of a line, oldest first, each with its page."""
    return [(trial, addresses.trial_page(trial)) for trial in trials[-NEWEST:]]
