"""All reports of a run, from what its trials left in the folder."""

from __future__ import annotations

from pathlib import Path

from lpharness.results.figures import Figures
from lpharness.results.files import write_atomically
from lpharness.results.folder import RunFolder
from lpharness.results.html import HtmlReport
from lpharness.results.junit import junit
from lpharness.results.ktap import ktap
from lpharness.results.markdown import markdown
from lpharness.results.model import Trial
from lpharness.results.story import stories


def write_reports(run: RunFolder) -> dict[str, Path]:
    """Write ``report.html``, ``junit.xml``, ``report.ktap`` and ``summary.md``; return their paths.

    Works while the run goes on: it shows what is known by then.

    Raises:
        InputError: a trial's document cannot be read; says which and why.
        HostError: no space left, or the folder cannot be written.
    """
    report = HtmlReport(run.path.name)
    found: list[tuple[Trial, Figures]] = []
    for story in stories(run):  # one at a time: two hundred timelines would fill the memory
        report.add(story)
        found.append((story.trial, story.figures))
    trials = [trial for trial, _ in found]
    documents: dict[str, tuple[str, str | bytes]] = {
        "html": ("report.html", report.render()),
        "junit": ("junit.xml", junit(trials)),
        "ktap": ("report.ktap", ktap(trials)),
        "markdown": ("summary.md", markdown(found)),
    }
    return {
        name: write_atomically(run.path / file, content)
        for name, (file, content) in documents.items()
    }
