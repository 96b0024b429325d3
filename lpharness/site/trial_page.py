"""A trial's own page: what the store has of it, with its timeline and console if they are there."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from lpharness.base.errors import InputError
from lpharness.results.folder import TrialFolder
from lpharness.results.html import article
from lpharness.results.story import Story, read_story
from lpharness.site import addresses
from lpharness.site.book import Book
from lpharness.site.pages import Assets, render, strip
from lpharness.store.trials import Detail, Found

_EARLIER = 24
"""Trials of the line before this one that are shown."""


_NOT_SHOWN = "its timeline and console are not shown"


class Around(Struct, frozen=True, kw_only=True):
    """Where one goes from a trial."""

    attempts: Sequence[Found]
    """All attempts, this one among them."""
    earlier: Sequence[Found]
    """Of the same line, oldest first, this one last. Later ones are on the case's page, so that a
    page that is written need not be written again."""
    beside: Sequence[Found]
    """Of the same case and kernel in the same run."""


def around(book: Book, trial: Found) -> Around:
    """Return a trial's neighbours."""
    past = book.of_line[trial.line].trials
    until = next(at for at, one in enumerate(past) if one.id == trial.id) + 1
    return Around(
        attempts=[one for one in past if (one.run, one.slug) == (trial.run, trial.slug)],
        earlier=past[max(0, until - _EARLIER) : until],
        beside=book.beside(trial),
    )


def trial_html(book: Book, detail: Detail, about: Assets) -> str:
    """Render a trial's page."""
    trial = book.trials[detail.found.id]
    story, gone = _story(detail)
    run = book.run_of[trial.run]
    return render(
        "trial.html",
        addresses.trial_page(trial),
        about,
        found=trial,
        trial=detail.trial,
        article=article(story, "t"),
        gone=gone,
        measures=() if story.events else detail.measures,
        cves=detail.cves,
        around=around(book, trial),
        with_pages=strip,
        run=run,
    )


def fingerprint(book: Book, trial: Found) -> str:
    """Return what tells a page of a trial from what would be written of it now."""
    told = msgspec.json.encode((trial, around(book, trial)))
    return hashlib.sha256(told).hexdigest()[:16]


def _story(detail: Detail) -> tuple[Story, str]:
    """Return the trial with its timeline, or the document alone and why."""
    folder = TrialFolder(Path(detail.folder))
    bare = Story(trial=detail.trial, name=detail.found.slug)
    if not detail.folder or not folder.document_path.is_file():
        return (
            bare,
            f"The trial's folder is gone: {_NOT_SHOWN}.",
        )
    try:
        if folder.load() != detail.trial:
            return (
                bare,
                f"Another trial lies in its folder now: {_NOT_SHOWN}.",
            )
        return read_story(folder, detail.trial), ""
    except InputError as error:
        return bare, f"Its timeline and console could not be read: {error.message}"
