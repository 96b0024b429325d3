"""What the site costs: to write it, and until a browser shows something of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lpharness.base.errors import HostError, InputError
from lpharness.base.process import find_tool
from lpharness.base.progress import SILENT, Progress
from lpharness.bench.figures import Bench, Figure, host_load, own_memory_mib, stopwatch
from lpharness.bench.made_up import Lived, fill
from lpharness.results.folder import TrialFolder
from lpharness.site.write import write_site
from lpharness.store import open_store

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_PAINTED = """() => new Promise((resolve) => new PerformanceObserver((list) => {
  const paint = list.getEntriesByName("first-contentful-paint")[0];
  if (paint) resolve(paint.startTime);
}).observe({ type: "paint", buffered: true }))"""
_PAINT_BOUND_S = 1.0


def measure(
    trials: int, repeat: int, like: Path | None = None, progress: Progress = SILENT
) -> Bench:
    """Measure with a store of so many made-up trials.

    Args:
        trials: how many.
        repeat: how often each page is opened.
        like: folder of a trial whose timeline and console each of them has; none has any if None.
        progress: told of each step.

    Raises:
        InputError: Playwright is not installed, or the trial has no timeline.
        HostError: there is no Chromium, or the server does not come.
    """
    load_before = host_load()
    figures = []
    with tempfile.TemporaryDirectory(prefix="lpharness-bench-site-") as folder:
        store, site = Path(folder) / "store.sqlite", Path(folder) / "site"
        with open_store(str(store), create=True) as opened:
            with progress.step(f"making {trials:,} trials up"):
                lived = Lived(TrialFolder(like), Path(folder) / "trials") if like else None
                fill(opened, trials, lived=lived)
            for name in ("written", "brought up to date, nothing new"):
                with progress.step(f"the site {name}"), stopwatch() as watch:
                    write_site(opened, site)
                figures.append(Figure(name=f"the site {name}", unit="s", samples=[watch.seconds]))
        figures.append(Figure(name="memory for that", unit="MiB", samples=[own_memory_mib()]))
        trial = next(site.glob("trial/*/*.html")).relative_to(site).as_posix()
        pages = {"matrix": "index.html", "history": "history.html", "trial": trial}
        with _chromium() as browser, _served(store) as address:
            for where, base in (("files", site.as_uri()), ("served", address)):
                for name, path in pages.items():
                    with progress.step(f"first paint, {name}, {where}"):
                        samples = [_paint(browser, f"{base}/{path}") for _ in range(repeat)]
                    figures.append(
                        Figure(
                            name=f"first paint, {name}, {where}",
                            unit="s",
                            samples=samples,
                            bound=_PAINT_BOUND_S,
                        )
                    )
    return Bench(
        kernel=f"{trials:,} made-up trials", figures=figures, load=(load_before, host_load())
    )


def _paint(browser: Browser, address: str) -> float:
    """Return the seconds from asking for a page until something of it is seen, nothing cached."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    try:
        page = context.new_page()
        page.goto(address)
        return float(page.evaluate(_PAINTED)) / 1000
    finally:
        context.close()


@contextmanager
def _chromium() -> Iterator[Browser]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise InputError(
            "measuring a browser needs playwright", hint="pip install 'lpharness[dev]'"
        ) from error
    program = find_tool("chromium")
    if program is None:
        raise HostError("there is no chromium here", hint="Debian's package of that name has it")
    # Chromium's own sandbox is not to be had by root; it opens nothing but our pages.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=options)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def _served(store: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "lpharness.cli", "serve", "--port", "0", "--store", str(store)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            address = server.stdout.readline().partition(" ")[0].rstrip("/")
            if not address:
                raise HostError("the server did not come")
            yield address
        finally:
            server.send_signal(signal.SIGINT)
