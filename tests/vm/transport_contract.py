"""What every transport must do; a backend's or transport's tests inherit the class."""

import os
import signal
import threading

import pytest
from guest_support import soon

from lpharness.base.deadline import Deadline
from lpharness.base.errors import DeadlineExpired, GuestError
from lpharness.guests.contract import Transport


class TransportContract:
    """Inherit it, and override the fixture ``transport``; one guest may serve all tests."""

    @pytest.fixture
    def transport(self) -> Transport:
        raise NotImplementedError

    def test_streams_are_separate(self, transport):
        result = transport.run("echo out; echo err >&2", deadline=soon())
        assert (result.exit_status, result.stdout, result.stderr) == (0, b"out\n", b"err\n")
        assert result.seconds > 0

    @pytest.mark.parametrize("status", [1, 42, 255])
    def test_non_zero_exit_is_no_error(self, transport, status):
        assert transport.run(f"exit {status}", deadline=soon()).exit_status == status

    def test_signal_death(self, transport):
        result = transport.run("kill -SEGV $$", deadline=soon())
        assert result.exit_status == 128 + signal.SIGSEGV

    def test_command_not_found(self, transport):
        assert transport.run("no-such-command", deadline=soon()).exit_status == 127

    def test_words_are_not_split_by_a_shell(self, transport):
        words = ["printf", "%s|", "a b", "$HOME", "*", "'", ""]
        assert transport.run(words, deadline=soon()).stdout == b"a b|$HOME|*|'||"

    def test_exit_status_is_never_lost_in_short_commands(self, transport):
        got = [transport.run(["sh", "-c", f"exit {n}"], deadline=soon()) for n in range(40)]
        assert [result.exit_status for result in got] == list(range(40))

    def test_large_output_is_whole(self, transport):
        """20 MB that do not repeat within the pieces they travel in."""
        part = os.urandom(4_000_000)
        transport.put(part, "/tmp/part", deadline=soon())
        read = "cat /tmp/part /tmp/part /tmp/part /tmp/part /tmp/part; rm /tmp/part"
        assert transport.run(read, deadline=soon()).stdout == part * 5

    def test_binary_input_comes_back(self, transport):
        data = os.urandom(1_000_000)
        assert transport.run(["cat"], stdin=data, deadline=soon()).stdout == data

    def test_input_nobody_reads(self, transport):
        result = transport.run("exit 3", stdin=bytes(300_000), deadline=soon())
        assert result.exit_status == 3

    def test_commands_at_the_same_time(self, transport):
        results: dict[int, str] = {}

        def work(number: int) -> None:
            results[number] = transport.run(f"sleep 0.2; echo {number}", deadline=soon()).text

        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == {number: f"{number}\n" for number in range(6)}

    def test_timeout_leaves_the_guest_usable(self, transport):
        with pytest.raises(DeadlineExpired):
            transport.run("sleep 987", deadline=Deadline.after(1))
        assert transport.run("echo alive", deadline=soon()).text == "alive\n"

    def test_timeout_ends_the_command(self, transport):
        with pytest.raises(DeadlineExpired):
            transport.run("sleep 986", deadline=Deadline.after(1))
        waited = "while pidof -s sleep >/dev/null && ps | grep -q '[s]leep 986'; do :; done"
        assert transport.run(waited, deadline=soon()).exit_status == 0

    def test_put_and_get(self, transport):
        data = os.urandom(200_000)
        transport.put(data, "/tmp/put", mode=0o750, deadline=soon())
        assert transport.get("/tmp/put", deadline=soon()) == data
        assert transport.run("stat -c %a /tmp/put", deadline=soon()).text == "750\n"
        listing = transport.run("ls /tmp | grep -c '^put'", deadline=soon())
        assert listing.text == "1\n"

    def test_put_replaces(self, transport, tmp_path):
        transport.put(b"a long first content", "/tmp/replaced", deadline=soon())
        (tmp_path / "file").write_bytes(b"second")
        transport.put(tmp_path / "file", "/tmp/replaced", deadline=soon())
        assert transport.get("/tmp/replaced", deadline=soon()) == b"second"

    def test_get_of_proc(self, transport):
        assert transport.get("/proc/version", deadline=soon()).startswith(b"Linux version")
        assert len(transport.get("/proc/kallsyms", deadline=soon())) > 1_000_000

    def test_get_of_nothing(self, transport):
        with pytest.raises(GuestError, match="/no/such/file"):
            transport.get("/no/such/file", deadline=soon())

    def test_put_to_nowhere(self, transport):
        with pytest.raises(GuestError, match="/no/such/folder"):
            transport.put(b"x", "/no/such/folder/file", deadline=soon())

    def test_stream(self, transport):
        out, err = bytearray(), bytearray()
        running = transport.stream(
            "cat; echo end >&2; exit 9",
            on_stdout=out.extend,
            on_stderr=err.extend,
            deadline=soon(),
        )
        running.send(b"one\n")
        running.send(b"two\n")
        with pytest.raises(DeadlineExpired):
            running.wait(Deadline.after(0.1))
        running.close_input()
        result = running.wait(soon())
        assert result.exit_status == 9
        assert (bytes(out), bytes(err)) == (b"one\ntwo\n", b"end\n")

    def test_stream_is_ended_by_a_signal(self, transport):
        came = threading.Event()
        running = transport.stream(
            "echo begun; exec sleep 985", on_stdout=lambda _: came.set(), deadline=soon()
        )
        assert came.wait(60)
        running.signal(signal.SIGTERM)
        assert running.wait(soon()).exit_status == 128 + signal.SIGTERM

    def test_stream_signal_reaches_the_group(self, transport):
        came = threading.Event()
        running = transport.stream(
            "sleep 984 & echo begun; wait", on_stdout=lambda _: came.set(), deadline=soon()
        )
        assert came.wait(60)
        running.signal(signal.SIGKILL)
        running.wait(soon())
        gone = "while ps | grep -q '[s]leep 984'; do :; done"
        assert transport.run(gone, deadline=soon()).exit_status == 0
