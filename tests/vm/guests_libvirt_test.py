"""The guest and transport contracts through libvirt: system, session, and over TCP."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import libvirt_daemons
import pytest
from guest_contract import GuestContract
from guest_support import soon, spec
from transport_contract import TransportContract

from lpharness.base.deadline import Deadline
from lpharness.base.errors import HostError, TransportError
from lpharness.guests import backend as find_backend
from lpharness.guests.libvirt_connection import Connection


@pytest.fixture(scope="module")
def system():
    with libvirt_daemons.system_daemon() as uri:
        yield uri


@pytest.fixture(scope="module")
def session():
    with libvirt_daemons.session_daemon() as session:
        yield session


def qemu_pid(guest):
    """The domain's QEMU, by the unique name on its command line."""
    name = f"guest={guest._domain.name()},"
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if name in entry.read_text(errors="replace"):
                return int(entry.parent.name)
        except OSError:
            continue
    raise AssertionError("no QEMU runs the domain")


class LibvirtContract(GuestContract):
    """What every connection is held to."""

    def kill_machine(self, guest):
        os.kill(qemu_pid(guest), signal.SIGKILL)

    def pause_machine(self, guest):
        guest._domain.suspend()

    def break_channel(self, guest):
        guest._agent.channel.fail("cut by the test")

    def test_nothing_stays_defined(self, backend):
        with backend.start(spec(), deadline=soon()) as guest:
            name = guest._domain.name()
            pid = qemu_pid(guest)
            assert not guest._domain.isPersistent()
        assert not Path(f"/proc/{pid}").exists()
        connection = Connection(backend.uri, soon())
        try:
            assert name not in [domain.name() for domain in connection.handle.listAllDomains()]
            pools = [pool.name() for pool in connection.handle.listAllStoragePools()]
            assert [name for name in pools if name.startswith("lpharness-")] == []
        finally:
            connection.close()
        assert list(Path("/var/tmp").glob("lpharness-files-*")) == []

    def test_a_killed_harness_leaves_nothing(self, backend, tmp_path):
        """The daemon destroys the domain when its connection goes."""
        script = """
            import sys, time
            sys.path[:0] = sys.argv[2:]
            from guest_support import soon, spec
            from lpharness.guests import backend
            guest = backend("libvirt", uri=sys.argv[1]).start(spec(), deadline=soon())
            print(guest._domain.name(), flush=True)
            time.sleep(100)
        """
        harness = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(script), backend.uri, Path(__file__).parent],
            stdout=subprocess.PIPE,
            text=True,
        )
        with harness:
            name = harness.stdout.readline().strip()
            harness.kill()
        assert name.startswith("lpharness-")
        connection = Connection(backend.uri, soon())
        deadline = soon()
        try:
            while name in [domain.name() for domain in connection.handle.listAllDomains()]:
                deadline.check("the killed harness's domain goes")
                time.sleep(0.05)
        finally:
            connection.close()

    def test_qemus_own_events(self, guest):
        seen = []
        guest.on_monitor(seen.append)
        guest._domain.suspend()
        guest._domain.resume()
        deadline = soon()
        while [event.name for event in seen[:2]] != ["STOP", "RESUME"]:
            deadline.check("the events come")
            time.sleep(0.01)

    def test_the_reason_of_a_shutdown_is_kept(self, guest):
        with pytest.raises(Exception, match="reset"):
            guest.transport.run("echo b > /proc/sysrq-trigger; sleep 60", deadline=soon())
        shutdown = next(event for event in guest.monitor_events if event.name == "SHUTDOWN")
        assert json.loads(shutdown.data)["reason"] == "guest-reset"


class TestSystem(LibvirtContract):
    @pytest.fixture
    def backend(self, system):
        return find_backend("libvirt", uri=system)

    def test_last_words_on_the_console_are_kept(self, guest):
        with pytest.raises(Exception, match="reset"):
            guest.transport.run("echo b > /proc/sysrq-trigger; sleep 60", deadline=soon())
        deadline = soon()
        while not any("sysrq: Resetting" in line.text for line in guest.console):
            deadline.check("the console's last line comes")
            time.sleep(0.01)

    def test_nothing_of_the_console_lies_about(self, guest):
        assert list(Path(tempfile.gettempdir()).glob(f"lpharness-console-{os.getpid()}-*")) == []

    def test_a_killed_harness_s_folder_is_swept(self, backend):
        dead = subprocess.Popen(["true"])
        dead.wait()
        left = Path(tempfile.gettempdir()) / f"lpharness-console-{dead.pid}-0"
        left.mkdir()
        with backend.start(spec(), deadline=soon()):
            assert not left.exists()

    def test_qemu_runs_as_the_caller_and_files_keep_their_owners(self, guest):
        assert Path(f"/proc/{qemu_pid(guest)}").stat().st_uid == os.geteuid()
        assert spec().kernel.image.stat().st_uid == os.geteuid()
        assert spec().image.initramfs.stat().st_uid == os.geteuid()

    def test_ssh(self, guest):
        transport = guest.ssh(soon())
        try:
            assert transport.run("uname -r", deadline=soon()).text == f"{spec().kernel.release}\n"
        finally:
            transport.close()


class TestTcp(LibvirtContract):
    """A remote URI: files are uploaded, and the daemon is another user's when we are root."""

    host_tells = False

    @pytest.fixture
    def backend(self, session):
        return find_backend("libvirt", uri=session.tcp)

    def test_no_ssh_to_another_host(self, guest):
        with pytest.raises(HostError, match="loopback"):
            guest.ssh(soon())


class TestSession:
    def test_over_the_sessions_socket(self, session):
        with find_backend("libvirt", uri=session.unix).start(spec(), deadline=soon()) as guest:
            assert guest.transport.run("exit 3", deadline=soon()).exit_status == 3

    def test_the_default_uri(self, system):
        """For root libvirt itself leads qemu:///session to the system's daemon."""
        with find_backend("libvirt").start(spec(), deadline=soon()) as guest:
            assert guest.start.backend == "libvirt qemu:///session"
            assert guest.transport.run("exit 3", deadline=soon()).exit_status == 3


@pytest.fixture(scope="module")
def shared_guest(system):
    with find_backend("libvirt", uri=system).start(spec(), deadline=soon()) as guest:
        yield guest


class TestAgentThroughLibvirt(TransportContract):
    @pytest.fixture
    def transport(self, shared_guest):
        return shared_guest.transport


class TestConnection:
    def test_nobody_there(self, tmp_path):
        uri = f"qemu+unix:///system?socket={tmp_path}/none"
        with pytest.raises(HostError, match="no connection to libvirt") as caught:
            Connection(uri, soon())
        assert "daemon" in caught.value.hint

    def test_a_daemon_that_does_not_answer(self):
        import socket

        with socket.create_server(("127.0.0.1", 0)) as deaf:
            uri = f"qemu+tcp://127.0.0.1:{deaf.getsockname()[1]}/session"
            with pytest.raises(HostError, match="does not answer"):
                Connection(uri, Deadline.after(0.5))

    def test_not_qemu(self):
        libvirt_daemons.require_libvirt()
        with pytest.raises(HostError, match="not QEMU"):
            Connection("test:///default", soon())

    def test_a_daemon_that_is_killed_and_comes_again_leaves_no_domain(self):
        """What was bound to the connection is forgotten by a daemon that is killed."""
        with libvirt_daemons.session_daemon() as session:
            guest = find_backend("libvirt", uri=session.unix).start(spec(), deadline=soon())
            pid = qemu_pid(guest)
            os.kill(int(session.pid_file.read_text()), signal.SIGKILL)
            with pytest.raises(TransportError, match="connection to libvirt"):  # and not a deadline
                guest.transport.run("sleep 100", deadline=soon())
            assert Path(f"/proc/{pid}").exists()  # or this test tells nothing
            guest.close()
            deadline = soon()
            while Path(f"/proc/{pid}").exists():
                deadline.check("QEMU ends")
                time.sleep(0.05)

    def test_a_lost_daemon_is_told(self):
        with libvirt_daemons.session_daemon() as session:
            guest = find_backend("libvirt", uri=session.unix).start(spec(), deadline=soon())
        with pytest.raises(Exception, match="connection"):
            guest.transport.run("true", deadline=soon())
        assert guest.condition()[0] in ("connection-lost", "killed")
        guest.close()
