"""Commands and files over SSH: see `lpharness.guests.contract.Transport`."""

from __future__ import annotations

import secrets
import shlex
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import paramiko

from lpharness.base.deadline import Deadline
from lpharness.base.errors import DeadlineExpired, GuestError, LpharnessError, TransportError
from lpharness.guests.agent import AgentTransport
from lpharness.guests.contract import CommandResult, Running, Transport
from lpharness.guests.ssh_connection import CommandChannel, Sink, SshConnection
from lpharness.guests.ssh_keys import GuestKeys
from lpharness.guests.ssh_server import listen

_CHUNK = 1 << 15
_MAX_COMMAND = 8900
"""dropbear refuses an exec request of more than 9000 bytes (``MAX_CMD_LEN``)."""
_KILL_SECONDS = 5.0


def connect(agent: Transport, host: str, port: int, *, deadline: Deadline) -> SshTransport:
    """Start the guest's SSH server and connect to it, with keys made for this transport alone.

    Args:
        agent: the way into the guest that exists already; takes the keys there.
        host: address that leads to the guest's port 22, and its ``port``.
        port: see ``host``.
        deadline: for the whole.

    Raises:
        GuestError: the guest's SSH server does not start.
        TransportError: no connection, or another's host key.
        DeadlineExpired: it took too long.
    """
    keys = GuestKeys()
    listen(agent, keys, deadline)

    def dial(deadline: Deadline) -> socket.socket:
        try:
            return socket.create_connection((host, port), timeout=_timeout(deadline))
        except OSError as error:
            raise TransportError(f"no SSH connection to {host} port {port}: {error}") from error

    transport = SshTransport(ConnectionPool(dial, keys), agent)
    transport.open(deadline)
    return transport


class ConnectionPool:
    """Connections, each lent to one command at a time: `lpharness.guests.ssh_connection` says why.

    One is enough as long as commands follow one another.
    """

    def __init__(self, dial: Callable[[Deadline], socket.socket], keys: GuestKeys) -> None:
        self._dial, self._keys = dial, keys
        self._lock = threading.Lock()
        self._one_handshake = threading.Lock()  # dropbear turns away a sixth (MAX_UNAUTH_PER_IP)
        self._idle: list[SshConnection] = []
        self._all: set[SshConnection] = set()
        self._closed = False

    def take(self, deadline: Deadline) -> SshConnection:
        """Lend a connection, a new one if need be.

        Raises:
            TransportError: no connection, another's host key, or the pool is closed.
            DeadlineExpired: the server did not answer in time.
        """
        with self._lock:
            if self._closed:
                raise TransportError("the SSH transport is closed")
            while self._idle:
                connection = self._idle.pop()
                if connection.is_active():
                    return connection
                self._all.discard(connection)
        connection = self._connect(deadline)
        with self._lock:
            self._all.add(connection)
        return connection

    def give(self, connection: SshConnection, *, reusable: bool) -> None:
        """Take a connection back; one that a command may still use is closed."""
        with self._lock:
            if reusable and not self._closed:
                self._idle.append(connection)
                return
            self._all.discard(connection)
        connection.close()

    def _connect(self, deadline: Deadline) -> SshConnection:
        if not self._one_handshake.acquire(timeout=_timeout(deadline)):
            raise DeadlineExpired("other connections to the guest's SSH server are being opened")
        try:
            sock = self._dial(deadline)
            with suppress(OSError):  # a socket pair has no such option
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = SshConnection(sock)
            try:
                _shake_hands(connection, self._keys, deadline)
            except BaseException:
                connection.close()
                raise
        except (paramiko.SSHException, OSError, EOFError) as error:
            if deadline.expired:
                raise DeadlineExpired("the guest's SSH server does not shake hands") from error
            raise TransportError(f"no SSH session with the guest: {error}") from error
        finally:
            self._one_handshake.release()
        return connection

    def close(self) -> None:
        """Close all connections; idempotent."""
        with self._lock:
            self._closed = True
            connections, self._all = self._all, set()
            self._idle.clear()
        for connection in connections:
            connection.close()


def _shake_hands(connection: SshConnection, keys: GuestKeys, deadline: Deadline) -> None:
    left = _timeout(deadline)
    connection.banner_timeout = connection.handshake_timeout = connection.auth_timeout = left
    connection.start_client(timeout=left)
    if connection.get_remote_server_key().asbytes() != keys.host_public:
        raise TransportError("the SSH server shows another host key than this guest was given")
    connection.auth_publickey("root", keys.client)


def _timeout(deadline: Deadline) -> float:
    return max(0.001, min(deadline.remaining(), threading.TIMEOUT_MAX))


def _wrapped(command: str | Sequence[str], *, has_input: bool) -> str:
    """Return the command line for the server.

    The inner shell leads a session of its own, so that the whole of it can be signalled, and
    tells its process id on the first line. The outer one turns a death by signal into 128 + N:
    the SSH protocol tells it otherwise ("exit-signal"), and paramiko not at all.
    """
    script = command if isinstance(command, str) else f"exec {shlex.join(command)}"
    inner = shlex.quote(f"echo $$\n{script}")
    source = "" if has_input else " < /dev/null"
    line = f"setsid /bin/sh -c {inner}{source}; exit $?"
    if len(line.encode()) > _MAX_COMMAND:
        raise GuestError(
            f"command of {len(line)} bytes is too long for the guest's SSH server",
            hint=f"{_MAX_COMMAND} at most: put a script in the guest and run that",
        )
    return line


class _Leader:
    """Takes the first line, the process id of the command's leader, off the output."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._line = b""
        self.pid: int | None = None
        self.known = threading.Event()

    def __call__(self, data: bytes) -> None:
        if self.known.is_set():
            self._sink(data)
            return
        self._line += data
        head, newline, rest = self._line.partition(b"\n")
        if newline:
            self.pid = int(head)
            self.known.set()
            if rest:
                self._sink(rest)


class SshTransport:
    """Several threads may use it at once; each command has a connection to itself."""

    name = "ssh"

    def __init__(self, pool: ConnectionPool, agent: Transport) -> None:
        self.pool = pool
        self._agent = agent

    def open(self, deadline: Deadline) -> None:
        """Have a connection ready, so that the first command need not wait for it."""
        self.pool.give(self.pool.take(deadline), reusable=True)

    def run(
        self, command: str | Sequence[str], *, stdin: bytes = b"", deadline: Deadline
    ) -> CommandResult:
        """Run a command and return how it ended; it is killed when the deadline passes."""
        return self._transact(command, _pieces(stdin) if stdin else None, deadline)

    def stream(
        self,
        command: str | Sequence[str],
        *,
        on_stdout: Callable[[bytes], None],
        on_stderr: Callable[[bytes], None] | None = None,
        deadline: Deadline,
    ) -> Running:
        """Start a long command; ``deadline`` is for its start, `Running.wait` has its own."""
        channel = self._open(_wrapped(command, has_input=True), deadline)
        running = SshRunning(self, channel, on_stdout, on_stderr or _ignore)
        try:
            running.wait_started(deadline)
        except BaseException:
            running.abandon()
            raise
        return running

    def put(
        self, content: bytes | Path, path: str, *, mode: int = 0o644, deadline: Deadline
    ) -> None:
        """Write a file aside in its folder and rename it once it is whole.

        Raises:
            GuestError: the guest refused, for example because the folder does not exist.
        """
        size = content.stat().st_size if isinstance(content, Path) else len(content)
        aside = shlex.quote(f"{path}.{secrets.token_hex(6)}")
        script = (
            f"cat > {aside} && [ $(stat -c %s {aside}) = {size} ] && chmod {mode:o} {aside} && "
            f"mv -f {aside} {shlex.quote(path)} || {{ rm -f {aside}; exit 1; }}"
        )
        result = self._transact(script, _pieces(content), deadline)
        if result.exit_status:
            raise GuestError(f"the guest cannot write {path}: {_said(result)}")

    def get(self, path: str, *, deadline: Deadline) -> bytes:
        """Read a file to its end.

        Raises:
            GuestError: the guest refused, for example because there is no such file.
        """
        result = self._transact(["cat", path], None, deadline)
        if result.exit_status:
            raise GuestError(f"the guest cannot read {path}: {_said(result)}")
        return result.stdout

    def close(self) -> None:
        """Close the connections; idempotent."""
        self.pool.close()

    # --- one command from begin to end ------------------------------------------------------

    def _open(self, line: str, deadline: Deadline) -> CommandChannel:
        try:
            connection = self.pool.take(deadline)
            try:
                return CommandChannel(connection, line, deadline)
            except BaseException:
                self.pool.give(connection, reusable=False)
                raise
        except TransportError as error:
            raise self.explained(error.message) from error

    def done(self, channel: CommandChannel) -> None:
        """Close a command's channel and let others have its connection."""
        channel.close()
        self.pool.give(channel.connection, reusable=channel.over)

    def _transact(
        self, command: str | Sequence[str], pieces: Iterator[bytes] | None, deadline: Deadline
    ) -> CommandResult:
        began = time.monotonic()
        stdout, stderr = bytearray(), bytearray()
        leader = _Leader(stdout.extend)
        channel = self._open(_wrapped(command, has_input=pieces is not None), deadline)
        try:
            if pieces is not None:
                channel.write_in_background(_writer(pieces))
            channel.read(leader, stderr.extend, deadline, self.watch)
        except BaseException:
            self.kill(leader, channel)
            raise
        self.done(channel)
        return self.result(channel, bytes(stdout), bytes(stderr), began)

    def result(
        self, channel: CommandChannel, stdout: bytes, stderr: bytes, began: float
    ) -> CommandResult:
        """Return how a command ended whose channel is closed.

        Raises:
            GuestDied, TransportError: the server did not live to tell.
        """
        status = channel.exit_status()
        if status is None:
            refused = channel.refused
            raise self.explained(
                "the guest's SSH server refused the command"
                if refused
                else "the SSH connection broke before the command's end was told"
            )
        return CommandResult(
            exit_status=status, stdout=stdout, stderr=stderr, seconds=time.monotonic() - began
        )

    def kill(self, leader: _Leader, channel: CommandChannel) -> None:
        """End a command nobody waits for any more, if the guest still can; close its channel."""
        if leader.pid is not None:
            with suppress(LpharnessError):
                self.signal(leader.pid, 9)
        self.done(channel)

    def signal(self, group: int, number: int) -> None:
        """Send a process group a signal, by a command of its own."""
        deadline = Deadline.after(_KILL_SECONDS)
        channel = self._open(f"kill -{number} -{group}", deadline)
        try:
            channel.read(_ignore, _ignore, deadline)
        finally:
            self.done(channel)

    def watch(self) -> None:
        """Raise if the agent's channel has failed, which a guest's death makes it do at once."""
        if isinstance(self._agent, AgentTransport) and (lost := self._agent.channel.lost):
            raise self.explained(lost)

    def explained(self, reason: str) -> LpharnessError:
        """Make the error for a connection that failed: the guest's death, if that was it."""
        try:
            self._agent.run("true", deadline=Deadline.after(_KILL_SECONDS))
        except LpharnessError as error:
            return error
        return TransportError(reason)


class SshRunning:
    """A long command; its output goes to callbacks from one thread of its own."""

    def __init__(
        self, transport: SshTransport, channel: CommandChannel, on_stdout: Sink, on_stderr: Sink
    ) -> None:
        self._transport, self._channel = transport, channel
        self._leader = _Leader(on_stdout)
        self._on_stderr = on_stderr
        self._began = time.monotonic()
        self._ended = threading.Event()
        self._input = threading.Lock()
        self._input_open = True
        self._result: CommandResult | None = None
        self._error: BaseException | None = None
        threading.Thread(target=self._follow, name="lph-ssh-output", daemon=True).start()

    def wait_started(self, deadline: Deadline) -> None:
        """Wait until the command's leader has told its process id."""
        while not self._leader.known.wait(min(0.05, _timeout(deadline))):
            if self._ended.is_set():
                break
            deadline.check("the guest does not start the command")
        if self._error is not None:
            raise self._error

    def send(self, data: bytes) -> None:
        """Write to its standard input; waits while the command does not read."""
        with self._input:
            if self._input_open:
                with suppress(OSError):  # it ended
                    self._channel.send(data)

    def close_input(self) -> None:
        """Close its standard input."""
        with self._input:
            if self._input_open:
                self._input_open = False
                with suppress(OSError):
                    self._channel.end_input()

    def signal(self, number: int) -> None:
        """Send its process group a signal."""
        if self._leader.pid is not None and not self._ended.is_set():
            self._transport.signal(self._leader.pid, number)

    def wait(self, deadline: Deadline) -> CommandResult:
        """Wait for its end and for the last callback."""
        if not self._ended.wait(min(deadline.remaining(), threading.TIMEOUT_MAX)):
            raise DeadlineExpired("the command still runs")
        if self._error is not None:
            raise self._error
        assert self._result is not None
        return self._result

    def abandon(self) -> None:
        """End it; nobody will wait for it."""
        self._channel.give_up()  # so that `send` does not wait for ever
        self._end_input()
        self._transport.kill(self._leader, self._channel)

    def _follow(self) -> None:
        try:
            self._channel.read(
                self._leader, self._on_stderr, Deadline.never(), self._transport.watch
            )
            self._end_input()
            self._transport.done(self._channel)
            self._result = self._transport.result(self._channel, b"", b"", self._began)
        except BaseException as error:  # wait() raises it
            self._error = error
            self.abandon()
        finally:
            self._ended.set()

    def _end_input(self) -> None:
        """Let no further input be sent: the channel is about to be closed."""
        with self._input:
            self._input_open = False


def _pieces(content: bytes | Path) -> Iterator[bytes]:
    if isinstance(content, bytes):
        for at in range(0, len(content), _CHUNK):
            yield content[at : at + _CHUNK]
        return
    with content.open("rb") as file:
        while data := file.read(_CHUNK):
            yield data


def _writer(pieces: Iterator[bytes]) -> Callable[[Callable[[bytes], None]], None]:
    def write(send: Callable[[bytes], None]) -> None:
        for piece in pieces:
            send(piece)

    return write


def _said(result: CommandResult) -> str:
    return result.stderr.decode(errors="replace").strip() or f"status {result.exit_status}"


def _ignore(_data: bytes) -> None:
    pass
