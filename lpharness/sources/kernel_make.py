"""make in a kernel tree of our own: alone with its tools, told of object by object, stoppable."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from lpharness.base.errors import HostError
from lpharness.base.process import find_tool
from lpharness.base.progress import Step
from lpharness.kernels.toolchains import Toolchain

_PACKAGES = {
    "make": "make",
    "ld": "binutils",
    "objcopy": "binutils",
    "flex": "flex",
    "bison": "bison",
    "bc": "bc",
    "gzip": "gzip",
}
_OF_TARGET = ("ld", "objcopy")
"""Those that know one architecture, and are named after it where that is not the host's."""
_HEADERS = {"gelf.h": "libelf-dev"}  # objtool's
_DONE = re.compile(r"^  (?P<tool>[A-Z]+)(?: \[M\])? +(?P<object>\S+)")
_WRONG = re.compile(r"(?:error|undefined reference|\*\*\*)[: ]")
_PATIENCE_S = 20.0  # for compilers to end once they were told to


def require_build_tools(toolchain: Toolchain) -> None:
    """Refuse early, by name, when something that builds a kernel is missing.

    Raises:
        HostError: naming what is missing and the packages that have it.
    """
    target = toolchain.target
    wanted = dict(_PACKAGES)
    if not target.native:
        package = f"binutils-{target.gnu.replace('_', '-')}"
        wanted |= {f"{target.cross}{tool}": package for tool in _OF_TARGET}
    missing = {tool: package for tool, package in wanted.items() if shutil.which(tool) is None}
    if target.objtool:
        missing |= {h: package for h, package in _HEADERS.items() if not _has_header(toolchain, h)}
    if missing:
        raise HostError(
            f"cannot build a kernel: {', '.join(missing)} not on this host",
            hint=f"install it: apt install {' '.join(sorted(set(missing.values())))}",
        )


def _has_header(toolchain: Toolchain, name: str) -> bool:
    done = subprocess.run(
        [toolchain.command, "-E", "-x", "c", "-include", name, os.devnull],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode == 0


class KernelMake:
    """Runs make in one tree, built in place."""

    def __init__(self, tree: Path, toolchain: Toolchain, *, log: Path) -> None:
        """Prepare to run make.

        Args:
            tree: the kernel's.
            toolchain: what compiles kernel and host programs.
            log: where all that make says is kept.
        """
        self.tree = tree
        self.toolchain = toolchain
        self.ended_orderly = False
        """Whether the last run left nothing half made, so that another can go on from there."""
        self._log = log

    def run(self, *arguments: str) -> None:
        """Run make to its end.

        Raises:
            HostError: it fails.
        """
        self._run(arguments, None)

    def build(self, *targets: str, jobs: int, step: Step) -> None:
        """Make targets; when interrupted, leave what is made in good order.

        Raises:
            HostError: it fails.
        """
        self._run((f"-j{jobs}", *targets), step)

    def _run(self, arguments: tuple[str, ...], step: Step | None) -> None:
        self.ended_orderly = False
        with self._log.open("a", buffering=1) as log:  # by lines, to be followed
            process = subprocess.Popen(
                [*_tied_to_us(), "make", *self._variables(), *arguments],
                cwd=self.tree, env=self._environment(), stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                start_new_session=True,
            )  # fmt: skip
            try:
                wrong = _listen(process, log, step)
                status = process.wait()
                self.ended_orderly = True
            except BaseException:
                self.ended_orderly = _stopped(process)
                raise
        if status != 0:
            self._fail(wrong)

    def _variables(self) -> list[str]:
        return [
            "--no-print-directory",
            *(self.toolchain.target.make or (f"ARCH={self.toolchain.target.folder}",)),
            f"CC={self.toolchain.command}",
            f"HOSTCC={self.toolchain.host or self.toolchain.command}",
            "KBUILD_BUILD_USER=lpharness",
            "KBUILD_BUILD_HOST=lpharness",
            "KBUILD_BUILD_TIMESTAMP=1970-01-01",
            "KBUILD_BUILD_VERSION=1",
        ]

    def _environment(self) -> dict[str, str]:
        folder = str(self._log.parent)
        path = os.environ.get("PATH", os.defpath)
        return {"PATH": path, "HOME": folder, "TMPDIR": folder, "LC_ALL": "C"}

    def _fail(self, wrong: str) -> None:
        if "No space left on device" in self._log.read_text(errors="replace"):
            raise HostError("no space left to build a kernel", hint="free 3 GB")
        raise HostError(
            f"the kernel does not build: {wrong or 'make says no more'}",
            hint=f"all that make said: {self._log}",
        )


def _tied_to_us() -> list[str]:
    """Return a prefix that ends make with this process, even if that is killed.

    SIGTERM, and no more than that: make hands it on, and takes away what is half made.
    """
    setpriv = find_tool("setpriv")  # util-linux, essential on Debian
    return [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []


def _listen(process: subprocess.Popen[str], log: TextIO, step: Step | None) -> str:
    """Keep what make says to its end, and return the first line that tells what is wrong."""
    assert process.stdout is not None
    done, wrong = 0, ""
    for line in process.stdout:
        log.write(line)
        if found := _DONE.match(line):
            done += 1
            if step is not None:
                step.update(done)
                step.note(f"{done}, {found['object']}")
        elif not wrong and _WRONG.search(line):
            wrong = line.strip()
    return wrong


def _stopped(process: subprocess.Popen[str]) -> bool:
    """End make and its compilers; say whether make could take away what was half made."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.communicate(timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return False
    return True
