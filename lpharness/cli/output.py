"""How commands speak: progress on stderr, answers on stdout, one JSON document with --json."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from lpharness.base.progress import Step

if TYPE_CHECKING:
    from rich.console import Console

_WIDE = 200  # columns where nobody's window is the limit, so that no path is cut in two


def print_json(document: Any) -> None:
    """Print one JSON document on stdout, and nothing else there."""
    encoded = msgspec.json.encode(document, enc_hook=str)
    sys.stdout.write(msgspec.json.format(encoded, indent=2).decode() + "\n")


def answers() -> Console:
    """Return a console for answers on stdout: as wide as the window, or wide for a program."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)


class TerminalProgress:
    """Steps as lines on stderr: a live bar on a terminal, one line at the end elsewhere."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True)

    @contextmanager
    def step(self, text: str, *, unit: str = "") -> Iterator[Step]:
        """Show a step while the ``with`` block lasts; how long it took, when it ends."""
        import time

        began = time.monotonic()
        if self._console.is_terminal:
            with self._bar(text, unit) as step:
                yield step
        else:
            yield _Quiet()
        self._console.print(
            f"  {text} [dim]{time.monotonic() - began:.1f} s[/dim]",
            highlight=False,
            soft_wrap=True,
        )

    @contextmanager
    def _bar(self, text: str, unit: str) -> Iterator[Step]:
        from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn

        columns: list[Any] = [SpinnerColumn(), TextColumn("{task.description}")]
        if unit == "B":
            columns += [BarColumn(bar_width=30), DownloadColumn()]
        columns.append(TextColumn("[dim]{task.fields[note]}"))
        with Progress(*columns, console=self._console, transient=True) as bars:
            yield _Bar(bars, bars.add_task(text, total=None, note=""))


class _Bar:
    def __init__(self, bars: Any, task: Any) -> None:
        self._bars, self._task = bars, task

    def update(self, done: int, total: int | None = None) -> None:
        self._bars.update(self._task, completed=done, total=total)

    def note(self, text: str) -> None:
        self._bars.update(self._task, note=text)


class _Quiet:
    def update(self, done: int, total: int | None = None) -> None: ...

    def note(self, text: str) -> None: ...
