"""libvirt's daemons for the tests: used where they run, else started here and ended again."""

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_SUPERVISOR = Path(__file__).with_name("libvirt_supervisor.py")
_ANSWER_SECONDS = 120


def require_libvirt() -> None:
    """Skip, with the reason, where libvirt guests cannot be tested."""
    pytest.importorskip("libvirt", reason="NO LIBVIRT TESTS: libvirt-python is not installed")
    for program in ("libvirtd", "virtlogd"):
        if find(program) is None:
            pytest.skip(f"NO LIBVIRT TESTS: {program} is not installed")


def find(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def answers(uri: str) -> bool:
    import libvirt

    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    try:
        libvirt.open(uri).close()
    except libvirt.libvirtError:
        return False
    return True


@contextmanager
def system_daemon() -> Iterator[str]:
    """Yield ``qemu:///system``, answered by a daemon that may have been started for it."""
    require_libvirt()
    uri = "qemu:///system"
    if answers(uri):
        yield uri
        return
    if os.geteuid() != 0:
        pytest.skip("NO qemu:///system TESTS: no libvirtd runs there, and only root can start one")
    with tempfile.TemporaryDirectory(prefix="lph-libvirt-") as name:
        folder = Path(name)
        config = folder / "libvirtd.conf"
        config.write_text('auth_unix_ro = "none"\nauth_unix_rw = "none"\n')
        with _daemons(folder, [], ["-f", str(config)], uri):
            yield uri


class Session:
    """URIs of one unprivileged daemon."""

    def __init__(self, folder: Path, port: int) -> None:
        self.pid_file = folder / "libvirtd.pid"
        self.socket = folder / "libvirt" / "libvirt-sock"
        self.unix = f"qemu+unix:///session?socket={self.socket}"
        self.tcp = f"qemu+tcp://127.0.0.1:{port}/session"


@contextmanager
def session_daemon() -> Iterator[Session]:
    """Yield an unprivileged daemon of the tests' own, which listens on loopback's TCP too.

    Run by root, it is another user's daemon that cannot read our files: like a remote one.
    """
    require_libvirt()
    with tempfile.TemporaryDirectory(prefix="lph-libvirt-") as name:
        folder = Path(name)
        user: list[str] = []
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
            user = ["setpriv", "--reuid=nobody", f"--regid={nobody.pw_gid}", "--clear-groups"]
        port = _free_port()
        config = folder / "libvirtd.conf"
        config.write_text(
            "listen_tls = 0\nlisten_tcp = 1\n"
            f'listen_addr = "127.0.0.1"\ntcp_port = "{port}"\nauth_tcp = "none"\n'
            'auth_unix_ro = "none"\nauth_unix_rw = "none"\n'
        )
        config.chmod(0o644)
        session = Session(folder, port)
        with _daemons(folder, user, ["--listen", "-f", str(config)], session.unix):
            yield session


@contextmanager
def _daemons(
    folder: Path, user: list[str], libvirtd: list[str], uri: str
) -> Iterator["subprocess.Popen[bytes]"]:
    environment = dict(os.environ)
    environment["PATH"] = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    if user or os.geteuid() != 0:
        for variable in ("HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
            environment[variable] = str(folder)
    log = (folder / "log").open("wb")
    virtlogd = ["-p", str(folder / "virtlogd.pid")]
    libvirtd = ["-p", str(folder / "libvirtd.pid"), *libvirtd]
    supervisor = subprocess.Popen(
        [*user, sys.executable, _SUPERVISOR, "--", *virtlogd, "--", *libvirtd],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        env=environment,
        cwd="/",
    )
    try:
        end = time.monotonic() + _ANSWER_SECONDS
        while not answers(uri):
            assert supervisor.poll() is None, (folder / "log").read_text(errors="replace")
            assert time.monotonic() < end, (folder / "log").read_text(errors="replace")
            time.sleep(0.1)
        yield supervisor
    finally:
        assert supervisor.stdin is not None
        supervisor.stdin.close()
        try:
            supervisor.wait(20)
        finally:
            supervisor.kill()
            supervisor.wait()
            log.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
