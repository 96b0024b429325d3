"""Which of the kernel's own functions ftrace can trace, as a guest of it told once."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from lpharness.base.cache import Cache
from lpharness.kernels.model import Kernel
from lpharness.kernels.store import key_of

KIND = "traceable"
_FILE = "available_filter_functions"


class Traceable(Collection[str]):
    """The lines of tracefs' ``available_filter_functions``, looked up in the text itself."""

    def __init__(self, text: bytes) -> None:
        self._text = b"\n" + text.rstrip(b"\n") + b"\n"

    def __contains__(self, line: object) -> bool:
        return isinstance(line, str) and b"\n" + line.encode() + b"\n" in self._text

    def __iter__(self) -> Iterator[str]:
        return iter(self._text.decode(errors="replace").split("\n")[1:-1])

    def __len__(self) -> int:
        return self._text.count(b"\n") - 1


def save_traceable(kernel: Kernel, text: bytes, *, cache: Cache | None = None) -> None:
    """Keep what a guest of the kernel said; the first said stays.

    Raises:
        HostError: there is no space left.
    """

    def build(folder: Path) -> None:
        (folder / _FILE).write_bytes(text)

    (cache or Cache()).get(KIND, key_of(kernel.release, kernel.identity), build, sealed=True)


def load_traceable(kernel: Kernel, *, cache: Cache | None = None) -> Traceable | None:
    """Return the kept list, or ``None`` if no guest of the kernel has told it yet."""
    entry = (cache or Cache()).find(KIND, key_of(kernel.release, kernel.identity), sealed=True)
    return None if entry is None else Traceable((entry / _FILE).read_bytes())
