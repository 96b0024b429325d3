"""All reports of a run, from what its trials left in the folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lpharness.results.figures import Figures
from lpharness.results.files import write_atomically
from lpharness.results.flaky import flaky
from lpharness.results.folder import RunFolder
from lpharness.results.html import HtmlReport, worst_first
from lpharness.results.junit import JunitReport
from lpharness.results.ktap import KtapReport
from lpharness.results.markdown import markdown
from lpharness.results.model import Trial
from lpharness.results.story import read_story

_MOST = 200
"""So many trials are told of in full by what people read; programs get all of them."""


def write_reports(run: RunFolder) -> dict[str, Path]:
    """Write ``report.html``, ``junit.xml``, ``report.ktap`` and ``summary.md``; return their paths.

    Works while the run goes on: it shows what is known by then.

    Raises:
        InputError: a trial's document cannot be read; says which and why.
        HostError: no space left, or the folder cannot be written.
    """
    headings = run.headings()
    judged = [heading for _, heading in headings]
    unsteady = flaky(judged)
    told = set(sorted(judged, key=lambda heading: worst_first(heading.verdict))[:_MOST])
    page = HtmlReport(run.path.name)
    for_ci, for_kernels = JunitReport(unsteady), KtapReport(len(judged))
    rows: list[tuple[Trial, Figures]] = []
    for folder, heading in headings:  # one at a time: two hundred timelines would fill the memory
        if heading in told:
            story = read_story(folder, folder.load())
            trial = story.trial
            page.add(story)
            rows.append((trial, story.figures))
        else:
            trial = folder.load()
            page.mention(heading)
        for_ci.add(trial)
        for_kernels.add(trial)
    documents: dict[str, tuple[str, str | Iterable[bytes]]] = {
        "html": ("report.html", page.render()),
        "junit": ("junit.xml", for_ci.pieces()),
        "ktap": ("report.ktap", for_kernels.render(unsteady)),
        "markdown": ("summary.md", markdown(rows, judged)),
    }
    return {
        name: write_atomically(run.path / file, content)
        for name, (file, content) in documents.items()
    }
