"""Where each page of the site is: paths made of names that may hold anything.

A path never leaves the site's folder, whatever a run, a trial or a case is called, and stays the
same for ever, so that it can be sent to someone. A hash tells what had to be changed in a name.
"""

from __future__ import annotations

import hashlib
import re

from lpharness.store.trials import Found

INDEX = "index.html"
HISTORY = "history.html"
FLAWS = "flaws.html"
RUNS = "runs.html"
LIVE = "live.html"

_LONGEST = 80  # characters: a run, a trial and a suffix stay below any file system's limit


def safe(name: str) -> str:
    """Return a name as one component of a path, and as part of an address that needs no escapes.

    Two names that differ have components that differ, also where letters' case does not count.
    """
    kept = re.sub(r"[^a-z0-9_.+-]", "-", name)[:_LONGEST].lstrip(".-")
    if kept == name and kept:
        return kept
    return f"{kept}-{hashlib.sha256(name.encode(errors='replace')).hexdigest()[:10]}".lstrip("-")


def release_page(name: str) -> str:
    """Return the path of a release's matrix."""
    return f"release/{safe(name)}.html"


def run_page(key: str) -> str:
    """Return the path of a run's matrix."""
    return f"run/{safe(key)}.html"


def case_page(case: str) -> str:
    """Return the path of a case's history."""
    return f"case/{safe(case)}.html"


def trial_page(trial: Found) -> str:
    """Return the path of a trial's own page."""
    again = f".{trial.attempt}" if trial.attempt > 1 else ""
    return f"trial/{safe(trial.run)}/{safe(trial.slug)}{again}.html"


def part(path: str, number: int) -> str:
    """Return the path of the second and later parts of a page that is too long for one."""
    return path if number == 1 else f"{path.removesuffix('.html')}.part{number}.html"


def up(path: str) -> str:
    """Return the way from a page to the site's folder: ``../`` for each folder that it is in."""
    return "../" * path.count("/")
