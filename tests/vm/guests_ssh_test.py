"""The transport contract over SSH, and what is SSH's own."""

import hashlib
import threading
import time

import paramiko
import pytest
from guest_support import soon, spec
from paramiko.common import cMSG_CHANNEL_EOF
from transport_contract import TransportContract

from lpharness.base.deadline import Deadline
from lpharness.base.errors import DeadlineExpired, GuestDied, GuestError, TransportError
from lpharness.guests import backend as find_backend
from lpharness.guests import ssh
from lpharness.guests.ssh_keys import GuestKeys


@pytest.fixture(scope="module")
def shared_guest():
    with find_backend("qemu").start(spec(), deadline=soon()) as guest:
        yield guest


@pytest.fixture(scope="module")
def shared_ssh(shared_guest):
    transport = shared_guest.ssh(soon())
    yield transport
    transport.close()


class TestSsh(TransportContract):
    @pytest.fixture
    def transport(self, shared_ssh):
        return shared_ssh

    def test_200_short_commands_back_to_back(self, transport):
        got = [transport.run(f"exit {n}", deadline=soon()).exit_status for n in range(200)]
        assert got == list(range(200))

    def test_short_commands_from_threads(self, transport):
        """Numbers of channels are given out anew while other channels are being closed."""
        right, wrong = [], []

        def work(number):
            for n in range(20):
                result = transport.run("cat; exit 7", stdin=b"x" * n, deadline=soon())
                as_due = (result.exit_status, result.stdout) == (7, b"x" * n)
                (right if as_due else wrong).append((number, n, result))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []
        assert len(right) == 80

    def test_a_late_end_of_file_hits_no_other_command(self, transport, monkeypatch):
        """The fault that paramiko reports as "Channel closed", made certain.

        The command has ended, and its channel been closed by the server, before our end-of-file
        for it is sent.
        """
        send = paramiko.Transport._send_user_message

        def send_late(connection, message):
            if message.asbytes()[:1] == cMSG_CHANNEL_EOF:
                time.sleep(0.5)
            send(connection, message)

        monkeypatch.setattr(paramiko.Transport, "_send_user_message", send_late)
        for _ in range(3):
            assert transport.run("exit 5", stdin=b"x", deadline=soon()).exit_status == 5
            assert transport.run("exit 6", deadline=soon()).exit_status == 6

    def test_large_output_is_streamed_in_bounded_memory(self, transport):
        """A consumer that stops reading stops the command."""
        digest, total, peak = hashlib.sha256(), 0, 0
        gate = threading.Event()

        def take(data):
            nonlocal total, peak
            gate.wait(60)
            total += len(data)
            digest.update(data)

        running = transport.stream("yes 0123456 | head -c 8000000", on_stdout=take, deadline=soon())
        time.sleep(3)
        held = max(
            len(channel.in_buffer)
            for connection in transport.pool._all
            for channel in connection._channels.values()
        )
        gate.set()
        assert running.wait(Deadline.after(300)).exit_status == 0
        assert held <= 1 << 20
        assert total == 8_000_000
        assert digest.hexdigest() == hashlib.sha256(b"0123456\n" * 1_000_000).hexdigest()

    def test_nothing_is_left_in_the_guest(self, transport, shared_guest):
        transport.run("true", deadline=soon())
        said = shared_guest.transport.run("ps | grep -c '[s]etsid'", deadline=soon())
        assert said.text == "0\n"

    def test_a_command_too_long_is_refused(self, transport):
        with pytest.raises(GuestError, match="too long"):
            transport.run(["echo", "x" * 9000], deadline=soon())


class TestConnection:
    def test_another_host_key_is_refused(self, shared_guest, monkeypatch):
        """The server has another host key than the one that was made for it."""
        monkeypatch.setattr(GuestKeys, "host_public", GuestKeys().host_public)
        with pytest.raises(TransportError, match="another host key"):
            shared_guest.ssh(soon())

    def test_another_client_is_refused(self, shared_guest):
        shared_guest.ssh(soon()).close()
        client = paramiko.SSHClient()
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
        with pytest.raises(paramiko.AuthenticationException):
            client.connect(
                "127.0.0.1",
                shared_guest.ssh_port(soon()),
                username="root",
                pkey=GuestKeys().client,
                allow_agent=False,
                look_for_keys=False,
            )
        client.close()

    def test_an_earlier_connection_lives_on(self, shared_guest):
        first, second = shared_guest.ssh(soon()), shared_guest.ssh(soon())
        try:
            assert first.run("echo one", deadline=soon()).text == "one\n"
            assert second.run("echo two", deadline=soon()).text == "two\n"
        finally:
            first.close()
            second.close()

    def test_no_keys_on_the_host(self, shared_guest, tmp_path, monkeypatch):
        monkeypatch.setattr("tempfile.mkstemp", None)
        monkeypatch.setattr("pathlib.Path.write_bytes", None)
        monkeypatch.setattr("pathlib.Path.write_text", None)
        shared_guest.ssh(soon()).close()

    def test_nobody_listens(self, shared_guest):
        with pytest.raises(TransportError, match="no SSH connection"):
            ssh.connect(shared_guest.transport, "127.0.0.1", 1, deadline=soon())


class TestDeath:
    @pytest.fixture
    def guest(self):
        with find_backend("qemu").start(spec(), deadline=soon()) as guest:
            yield guest

    def test_panic(self, guest):
        transport = guest.ssh(soon())
        with pytest.raises(GuestDied) as caught:
            transport.run("echo c > /proc/sysrq-trigger; sleep 60", deadline=Deadline.after(60))
        assert caught.value.condition == "panicked"
        transport.close()

    def test_a_paused_guest_meets_the_deadline(self, guest):
        transport = guest.ssh(soon())
        guest.machine.execute("stop", soon())
        began = time.monotonic()
        with pytest.raises(DeadlineExpired):
            transport.run("true", deadline=Deadline.after(1))
        assert time.monotonic() - began < 30
        transport.close()

    def test_the_server_dies_under_a_command(self, guest):
        transport = guest.ssh(soon())
        killer = threading.Timer(2, guest.transport.run, ["killall -9 dropbear"],
                                 {"deadline": soon()})  # fmt: skip
        killer.start()
        began = time.monotonic()
        with pytest.raises(TransportError) as caught:
            transport.run("sleep 120", deadline=Deadline.after(60))
        assert time.monotonic() - began < 50
        assert not isinstance(caught.value, GuestDied)
        killer.join()
        transport.close()
        assert guest.transport.run("echo well", deadline=soon()).text == "well\n"
        anew = guest.ssh(soon())
        assert anew.run("echo anew", deadline=soon()).text == "anew\n"
        anew.close()

    def test_the_network_goes(self, guest):
        """Nobody tells the other end: all that it notices is that no answer comes."""
        transport = guest.ssh(soon())
        guest.transport.run("for card in /sys/class/net/e*; do ip link set ${card##*/} down; done",
                            deadline=soon())  # fmt: skip
        began = time.monotonic()
        with pytest.raises((DeadlineExpired, TransportError)) as caught:
            transport.run("true", deadline=Deadline.after(5))
        assert time.monotonic() - began < 40
        assert not isinstance(caught.value, GuestDied)
        transport.close()
        assert guest.transport.run("echo well", deadline=soon()).text == "well\n"
