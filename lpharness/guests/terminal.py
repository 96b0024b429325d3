"""A terminal in a guest, joined to the one that we run in."""

from __future__ import annotations

import os
import select
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import paramiko

from lpharness.base.deadline import Deadline
from lpharness.base.errors import TransportError
from lpharness.guests.ssh import SshTransport

_CHUNK = 1 << 15
_GLANCE_S = 0.5  # so often the window's size and the guest's health are looked at


def join(transport: SshTransport, command: str, *, deadline: Deadline) -> int:
    """Run a command on a terminal in the guest that is ours, and return its exit status.

    What is typed goes there as it is: Ctrl-C interrupts what runs in the guest, not us.

    Args:
        transport: a connection to the guest.
        command: for the guest's shell.
        deadline: for the start.

    Raises:
        GuestDied, TransportError: the guest, or the connection, did not live to the end.
    """
    keyboard, screen = sys.stdin.fileno(), sys.stdout.fileno()
    connection = transport.pool.take(deadline)
    try:
        channel = connection.open_session(timeout=max(1.0, min(deadline.remaining(), 60.0)))
        channel.get_pty(os.environ.get("TERM", "linux"), *os.get_terminal_size(screen))
        channel.exec_command(command)
        with _raw(keyboard):
            _relay(channel, keyboard, screen, transport.watch)
        return int(channel.recv_exit_status())
    except (paramiko.SSHException, EOFError) as error:
        raise transport.explained(f"the guest's terminal is gone: {error}") from error
    finally:
        transport.pool.give(connection, reusable=False)


@contextmanager
def _raw(keyboard: int) -> Iterator[None]:
    """Take each key as it comes, and leave the terminal as it was."""
    before = termios.tcgetattr(keyboard)
    try:
        tty.setraw(keyboard)
        yield
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)


def _relay(channel: Any, keyboard: int, screen: int, watch: Callable[[], None]) -> None:
    """Carry bytes both ways until the guest's side ends."""
    size = os.get_terminal_size(screen)
    readable = [channel, keyboard]
    while True:
        ready, _, _ = select.select(readable, [], [], _GLANCE_S)
        if channel in ready:
            data = channel.recv(_CHUNK)
            if not data:
                return
            _write(screen, data)
        if keyboard in ready:
            typed = os.read(keyboard, _CHUNK)
            if not typed:  # our terminal is gone
                raise TransportError("this terminal was closed")
            channel.sendall(typed)
        if not ready:
            watch()
        if (now := os.get_terminal_size(screen)) != size:
            size = now
            channel.resize_pty(*size)


def _write(screen: int, data: bytes) -> None:
    while data:
        data = data[os.write(screen, data) :]
