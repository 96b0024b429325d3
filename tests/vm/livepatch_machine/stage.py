"""A restored guest with the modules and the program of the sequences in it."""

from __future__ import annotations

import functools
import json
import queue
import shutil
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from guest_support import soon

from lpharness.base.cache import Cache
from lpharness.base.deadline import Deadline
from lpharness.base.errors import DeadlineExpired, GuestError, HostError
from lpharness.base.hashing import identity, sha256_file
from lpharness.console import Classifier
from lpharness.engine import kbuild
from lpharness.engine.compiler import find_compiler
from lpharness.engine.guest_image import guest_image
from lpharness.guests import backend
from lpharness.guests.contract import GuestSpec
from lpharness.images.programs import compile_source
from lpharness.kernels import resolve, with_headers

_HERE = Path(__file__).parent
_HARMLESS = ("expected", "odd")
_OF_A_REFUSAL = ("livepatch-refused", "livepatch-failed")


@functools.cache
def prepared(name: str) -> tuple[GuestSpec, tuple[Path, ...]]:
    """Return a kernel's guest and the files to put into it, all built and cached."""
    if shutil.which("qemu-system-x86_64") is None:
        pytest.skip("QEMU is not installed")
    try:
        kernel = with_headers(resolve(name))
        spec = GuestSpec(kernel=kernel, image=guest_image("minimal", kernel))
    except HostError as error:
        pytest.skip(f"no kernel or image: {error}")
    sources = sorted((_HERE / "modules").glob("*.c"))
    headers = sorted((_HERE / "modules").glob("*.h"))
    compiler = find_compiler(kernel)
    contents = [sha256_file(path) for path in (*sources, *headers)]
    key = identity(kbuild.RECIPE, kernel.identity, compiler.version, *contents)

    def compile_all(folder: Path) -> None:
        assert kernel.headers is not None
        work = folder / "work"
        work.mkdir()
        for module in kbuild.compile_modules(
            sources=sources, headers=kernel.headers, compiler=compiler, folder=work
        ):
            module.rename(folder / module.name)
        shutil.rmtree(work)

    modules = sorted(Cache().get("modules", f"random-{key}", compile_all).glob("*.ko"))
    program = compile_source(_HERE / "scene.c")
    return spec, (*modules, program)


class Stage:
    """One guest; it does what it is told and tells what is to be seen."""

    def __init__(self, kernel: str) -> None:
        spec, files = prepared(kernel)
        self.release = spec.kernel.release
        self._answers: queue.Queue[bytes] = queue.Queue()
        self._unread = b""
        self._classifier = Classifier()
        self._guest = backend().start(spec, deadline=soon())
        self._lines = 0
        self._grown = threading.Event()
        self._guest.on_console(lambda _: self._grown.set())
        transport = self._guest.transport
        for path in files:
            mode = 0o644 if path.suffix == ".ko" else 0o755
            place = f"/tmp/{path.name if mode == 0o644 else 'lph_scene'}"
            transport.put(path, place, mode=mode, deadline=soon())
        self._program = transport.stream(["/tmp/lph_scene"], on_stdout=self._hear, deadline=soon())

    def step(self, line: str) -> dict[str, Any]:
        """Send a line; return the answer, which comes when all has settled.

        Raises:
            GuestDied: the guest is no more.
            DeadlineExpired: it does not answer.
        """
        self._program.send(f"{line}\n".encode())
        deadline = soon()
        while True:
            try:
                answer: dict[str, Any] = json.loads(self._answers.get(timeout=1))
            except queue.Empty:
                if deadline.remaining() > 0 and self._lives():
                    continue
                condition, why = self._guest.condition()
                raise DeadlineExpired(f"no answer to {line!r}: {condition}, {why}") from None
            if answer["log"]:
                self._await_console(answer["log"][-1])
            return answer

    def run(self, command: str) -> None:
        """Run a command in the guest, whatever comes of it."""
        with suppress(GuestError):
            self._guest.transport.run(command, deadline=Deadline.after(5))

    def findings(self) -> list[str]:
        """Return what the console told since the last time that is not part of a healthy life."""
        lines = self._guest.console
        found = []
        for line in lines[self._lines :]:
            found += self._classifier.feed(line.text.encode() + b"\n")
        self._lines = len(lines)
        return [
            f"{finding.name}: {finding.text}"
            for finding in found
            if finding.severity not in _HARMLESS and finding.name not in _OF_A_REFUSAL
        ]

    def console(self) -> str:
        """Return the last lines of the console."""
        return "\n".join(line.text for line in list(self._guest.console)[-150:])

    def close(self) -> None:
        """End the guest."""
        self._guest.close()

    def _lives(self) -> bool:
        from lpharness.guests.condition import DEAD

        return self._guest.condition()[0] not in DEAD

    def _await_console(self, said: str) -> None:
        """Wait for the console to have got as far as the log, for a while."""
        deadline = Deadline.after(5)
        while deadline.remaining() > 0:
            self._grown.clear()
            if any(line.text.endswith(said) for line in self._guest.console[self._lines :]):
                return
            self._grown.wait(deadline.remaining())

    def _hear(self, data: bytes) -> None:
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            self._answers.put(line)
