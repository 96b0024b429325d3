"""``lpharness shell``: a guest to look around in."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from lpharness.cli.output import TerminalProgress

if TYPE_CHECKING:
    from lpharness.guests.contract import Guest, Running

app = typer.Typer(add_completion=False)

_SIGINT = 2


@app.command()
def shell(
    kernel: Annotated[str, typer.Option("-k", "--kernel", help="The guest's kernel.")],
    image: Annotated[str, typer.Option(help="minimal, or debian for a full userland.")] = "minimal",
    module: Annotated[
        list[str], typer.Option("--module", help="A kernel module to carry along. Repeatable.")
    ] = [],  # noqa: B006 — typer copies it
    command: Annotated[
        str | None, typer.Option("-c", "--command", help="Run this and leave with its exit status.")
    ] = None,
    fresh: Annotated[bool, typer.Option(help="Boot; use no snapshot.")] = False,
) -> None:
    """Start a guest and give you its shell; it is gone when you leave.

    Ctrl-C interrupts what runs in the guest, Ctrl-D leaves.

    Example: lpharness shell -k debian:6.1-cloud -c 'cat /proc/version'
    """
    from lpharness.base.deadline import Deadline
    from lpharness.guests import backend
    from lpharness.guests.contract import GuestSpec
    from lpharness.images import build
    from lpharness.kernels import resolve

    progress = TerminalProgress()
    found = resolve(kernel, progress=progress)
    root = build(image, found, guest_modules=module, progress=progress)
    spec = GuestSpec(kernel=found, image=root)
    with backend().start(spec, fresh=fresh, deadline=Deadline.after(180)) as guest:
        if command is not None:
            raise typer.Exit(_run(guest, ["/bin/sh", "-c", command], interactive=False))
        start = guest.start
        sys.stderr.write(
            f"{found.release}: {start.how} in {start.seconds:.1f} s, {start.accelerator}; "
            "Ctrl-D leaves\n"
        )
        _run(guest, ["/bin/sh", "-i"], interactive=True)


def _run(guest: Guest, argv: list[str], *, interactive: bool) -> int:
    """Run a command with our own streams; return its exit status."""
    from lpharness.base.deadline import Deadline
    from lpharness.base.errors import DeadlineExpired

    running = guest.transport.stream(
        argv, on_stdout=_out, on_stderr=_err, deadline=Deadline.never()
    )
    if interactive:
        _feed(running)
    running.close_input()
    while True:
        try:
            return running.wait(Deadline.after(1)).exit_status
        except DeadlineExpired:
            continue
        except KeyboardInterrupt:
            running.signal(_SIGINT)


def _feed(running: Running) -> None:
    """Send what is typed, line by line, until its end."""
    while True:
        try:
            line = sys.stdin.buffer.readline()
        except KeyboardInterrupt:
            running.send(b"\n")
            continue
        if not line:
            return
        running.send(line)


def _out(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.flush()


def _err(data: bytes) -> None:
    sys.stderr.buffer.write(data)
    sys.stderr.flush()
