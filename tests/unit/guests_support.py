"""A real agent on this host, at the other end of a socket pair."""

import functools
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lpharness.base.resources import data_dir


@functools.cache
def agent_program() -> Path:
    """Compile the agent once for this test process, with the warnings that must not be."""
    program = Path(tempfile.mkdtemp(prefix="lph-agent-")) / "agent"
    source = data_dir("images") / "programs" / "agent.c"
    flags = ["-O1", "-g", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined"]
    subprocess.run(["gcc", *flags, "-o", program, source], check=True)
    return program


@contextmanager
def agent_process(*, status: int = 0) -> Iterator[tuple[socket.socket, "subprocess.Popen[bytes]"]]:
    """Run the agent, which must end with ``status``; yields the host's end and the process."""
    ours, theirs = socket.socketpair()
    number = theirs.fileno()
    process = subprocess.Popen([agent_program(), "--fd", str(number)], pass_fds=[number])
    theirs.close()
    try:
        yield ours, process
    finally:
        ours.close()
        try:
            assert process.wait(10) == status, "the agent ended badly (sanitizer report above)"
        finally:
            process.kill()
