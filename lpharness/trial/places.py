"""Looking up file and line of the stacks that a trial saw, while symbols are at hand.

What is found becomes an event, so that the checks, which look at nothing but the recording, can
name it, today and when the trial is judged again on a machine without the symbols.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from lpharness.base.errors import LpharnessError
from lpharness.console import classify_text
from lpharness.console.classifier import AFTERMATH_LINES, REPORT_LINES
from lpharness.elf.lines import Frame, frames_in, source_places
from lpharness.kernels.debug_info import debug_vmlinux
from lpharness.kernels.model import Kernel
from lpharness.timeline.events import LeaksScanned, SourcePlaces
from lpharness.timeline.recorder import Recorder

_MOST = 500
_WORTH = ("fatal", "bad")


def record_places(
    kernel: Kernel, modules: Mapping[str, Path], console: Sequence[str], recorder: Recorder
) -> None:
    """Look up the frames of everything bad that was seen, and record where they are.

    Args:
        kernel: the guest's.
        modules: files of the modules that are not the kernel's own, by name.
        console: the guest's, line by line.
        recorder: has the timeline so far, and gets the answer.
    """
    wanted: dict[str, dict[str, Frame]] = {}
    for frame in _frames(console, recorder):
        wanted.setdefault(frame.module, {}).setdefault(frame.text, frame)
    places: dict[str, str] = {}
    troubles = []
    for module, frames in wanted.items():
        file = _file(kernel, modules, module)
        if file is None:
            troubles.append(f"no debug information of {module or kernel.release}")
            continue
        try:
            places |= source_places(file, list(frames.values())[:_MOST])
        except LpharnessError as error:
            troubles.append(error.message)
    if wanted:
        recorder.add(
            SourcePlaces(host_ns=recorder.now(), places=places, detail="; ".join(troubles))
        )


def _frames(console: Sequence[str], recorder: Recorder) -> Iterator[Frame]:
    for line in _passages(console):
        yield from frames_in(line)
    for event in recorder.events:
        if isinstance(event, LeaksScanned):
            for leak in event.leaks:
                for text in leak.stack:
                    yield from frames_in(text)


def _passages(console: Sequence[str]) -> Iterable[str]:
    """Yield the lines of the reports of what is bad."""
    end = 0
    for finding in classify_text("\n".join(console)):
        if finding.severity in _WORTH:
            begin = max(end, finding.line - 1)
            end = finding.line + REPORT_LINES + AFTERMATH_LINES
            yield from console[begin:end]


def _file(kernel: Kernel, modules: Mapping[str, Path], module: str) -> Path | None:
    if not module:
        return debug_vmlinux(kernel)
    if module in modules:
        return modules[module]
    name = module.replace("_", "[-_]")
    return next(kernel.modules.rglob(f"{name}.ko"), None)
