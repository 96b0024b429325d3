"""``lpharness shell``: a guest to look around in."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lpharness.cli.output import TerminalProgress

if TYPE_CHECKING:
    from lpharness.guests.contract import Guest

app = typer.Typer(add_completion=False)

_SIGINT = 2


@app.command()
def shell(
    kernel: Annotated[str, typer.Option("-k", "--kernel", help="The guest's kernel.")],
    image: Annotated[str, typer.Option(help="minimal, or debian for a full userland.")] = "minimal",
    module: Annotated[
        list[str], typer.Option("--module", help="A kernel module to carry along. Repeatable.")
    ] = [],  # noqa: B006 — typer copies it
    file: Annotated[
        list[Path],
        typer.Option("--file", help="A file to put into the guest's /tmp. Repeatable."),
    ] = [],  # noqa: B006 — typer copies it
    command: Annotated[
        str | None, typer.Option("-c", "--command", help="Run this and leave with its exit status.")
    ] = None,
    fresh: Annotated[bool, typer.Option(help="Boot; use no snapshot.")] = False,
) -> None:
    """Start a guest and give you its shell; it is gone when you leave.

    Ctrl-C interrupts what runs in the guest, Ctrl-D leaves. Without a terminal, what comes on the
    standard input is a script to run there.

    Example: lpharness shell -k debian:6.1-cloud -c 'cat /proc/version'
    """
    from lpharness.base.deadline import Deadline
    from lpharness.engine.guest_image import guest_image
    from lpharness.guests import backend
    from lpharness.guests.contract import GuestSpec
    from lpharness.kernels import resolve

    _require_readable(file)
    progress = TerminalProgress()
    found = resolve(kernel, progress=progress)
    root = guest_image(image, found, guest_modules=module, progress=progress)
    spec = GuestSpec(kernel=found, image=root)
    with backend().start(spec, fresh=fresh, deadline=Deadline.after(180)) as guest:
        _put(guest, file)
        if command is not None:
            raise typer.Exit(_run(guest, ["/bin/sh", "-c", command]))
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise typer.Exit(_run(guest, ["/bin/sh", "-s"], script=sys.stdin.buffer.read()))
        start = guest.start
        sys.stderr.write(
            f"{found.release}: {start.how} in {start.seconds:.1f} s, {start.accelerator}; "
            "Ctrl-D leaves\n"
        )
        raise typer.Exit(_attend(guest))


def _require_readable(files: list[Path]) -> None:
    """Refuse what is no file, before a guest is started for it."""
    from lpharness.base.errors import InputError

    for path in files:
        if not path.is_file():
            raise InputError(f"--file {path}: no such file")
        if not os.access(path, os.R_OK):
            raise InputError(f"--file {path}: not readable")
    names = [path.name for path in files]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"--file: two files are named {twice}", hint="each goes to /tmp/NAME")


def _put(guest: Guest, files: list[Path]) -> None:
    """Put files into the guest, executable if they are so here."""
    from lpharness.base.deadline import Deadline

    for path in files:
        mode = path.stat().st_mode & 0o777
        guest.transport.put(path, f"/tmp/{path.name}", mode=mode, deadline=Deadline.after(60))  # noqa: S108 — the guest's own


def _attend(guest: Guest) -> int:
    """Join our terminal to a shell's in the guest; return its exit status."""
    from lpharness.base.deadline import Deadline
    from lpharness.guests.ssh import SshTransport
    from lpharness.guests.terminal import join

    deadline = Deadline.after(60)
    transport = guest.ssh(deadline)
    assert isinstance(transport, SshTransport)
    try:
        best = "bash" if "bash" in guest.spec.image.provides else "sh"
        return join(transport, f"exec {best} -l", deadline=deadline)
    finally:
        transport.close()


def _run(guest: Guest, argv: list[str], *, script: bytes = b"") -> int:
    """Run a command with our own streams; return its exit status.

    Ctrl-C interrupts it; a second one leaves, if it did not mind the first.
    """
    from lpharness.base.deadline import Deadline
    from lpharness.base.errors import DeadlineExpired

    running = guest.transport.stream(
        argv, on_stdout=_out, on_stderr=_err, deadline=Deadline.never()
    )
    interrupted = False
    if script:
        running.send(script)
    running.close_input()
    while True:
        try:
            return running.wait(Deadline.after(1)).exit_status
        except DeadlineExpired:
            continue
        except KeyboardInterrupt:
            if interrupted:
                raise
            interrupted = True
            running.signal(_SIGINT)


def _out(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.flush()


def _err(data: bytes) -> None:
    sys.stderr.buffer.write(data)
    sys.stderr.flush()
