"""The command line as a user types it: a process, its streams, its exit status."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

LPHARNESS = [sys.executable, "-m", "lpharness.cli"]
KERNEL = "debian:6.1-cloud"


def lpharness(
    *words: str | Path, cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command in ``cwd``, with its own folder for temporary files there."""
    temporary = cwd / ".tmp"
    temporary.mkdir(exist_ok=True)
    done = subprocess.run(
        [*LPHARNESS, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        timeout=300,
        env={**os.environ, "TMPDIR": str(temporary), **(env or {})},
    )
    assert list(temporary.iterdir()) == []
    temporary.rmdir()
    return done


def complaint(done: subprocess.CompletedProcess[str], status: int) -> str:
    """Return the one line that says what is wrong (and its hint), after asserting that it is one.

    Lines of progress may come before it; nothing is on stdout.
    """
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    at = [number for number, line in enumerate(lines) if line.startswith("lpharness: ")]
    assert len(at) == 1, done.stderr
    rest = lines[at[0] + 1 :]
    assert all(line.startswith("  hint: ") for line in rest), done.stderr
    return "\n".join(lines[at[0] :])


def without_qemu(folder: Path) -> dict[str, str]:
    """Return an environment whose PATH leads to everything on this host but QEMU."""
    programs = folder / "programs"
    programs.mkdir()
    for place in os.environ["PATH"].split(":"):
        for program in Path(place).iterdir() if Path(place).is_dir() else ():
            link = programs / program.name
            if not program.name.startswith("qemu") and not link.is_symlink():
                link.symlink_to(program)
    return {"PATH": str(programs)}
