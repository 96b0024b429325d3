"""What the tests in a browser share: a browser, a site and a server."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

expect.set_options(timeout=60_000)  # beside guests a browser may take its time


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Debian's Chromium."""
    program = shutil.which("chromium")
    assert program, "the tests need Debian's package chromium"
    with sync_playwright() as playwright:
        # Without Chromium's own sandbox, which is not to be had by root or in most containers.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


class Visit:
    """A page, and all that it asked for or complained of."""

    def __init__(self, page: Page) -> None:
        self.page = page
        page.set_default_timeout(60_000)
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda said: self.complaints.append(said.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))


class Server:
    """``lpharness serve`` as a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout
        self.line = process.stdout.readline()
        self.address = self.line.partition(" ")[0].rstrip("/")

    def end(self, by: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        """Signal it, and return its exit status and what it complained of."""
        self.process.send_signal(by)
        _, said = self.process.communicate(timeout=30)
        return self.process.returncode, said


@contextmanager
def serving(*arguments: str) -> Iterator[Server]:
    """Serve on a port of the kernel's choice; ended at the end of the ``with`` block."""
    command = [sys.executable, "-m", "lpharness.cli", "serve", "--port", "0", *arguments]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path("/")
    )
    try:
        yield Server(process)
    finally:
        process.kill()
        process.communicate()
