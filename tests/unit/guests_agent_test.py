"""The agent's protocol, both real ends, without a guest."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest
from guests_support import agent_process

from lpharness.base.deadline import Deadline
from lpharness.base.errors import DeadlineExpired, GuestError, TransportError
from lpharness.guests.agent import AgentTransport, Channel
from lpharness.guests.agent.frames import MAX_PAYLOAD, FrameType, encode


def soon() -> Deadline:
    return Deadline.after(20)


@pytest.fixture
def transport():
    with agent_process() as (sock, _):
        transport = AgentTransport(Channel(sock))
        yield transport
        transport.close()


def test_output_streams_are_separate(transport):
    result = transport.run("echo out; echo err >&2", deadline=soon())
    assert (result.exit_status, result.stdout, result.stderr) == (0, b"out\n", b"err\n")
    assert result.guest_began_ns <= result.guest_ended_ns


@pytest.mark.parametrize("status", [0, 1, 42, 255])
def test_exit_status(transport, status):
    assert transport.run(f"exit {status}", deadline=soon()).exit_status == status


def test_signal_death(transport):
    assert transport.run("kill -SEGV $$", deadline=soon()).exit_status == 128 + signal.SIGSEGV


def test_missing_program(transport):
    result = transport.run(["/no/such/program"], deadline=soon())
    assert result.exit_status == 127
    assert b"/no/such/program: No such file" in result.stderr


def test_exit_status_is_never_lost_in_short_commands(transport):
    for number in range(200):
        assert transport.run(["sh", "-c", f"exit {number % 7}"], deadline=soon()).exit_status == (
            number % 7
        )


def test_binary_input_comes_back_whole(transport):
    data = os.urandom(3_000_001)
    assert transport.run(["cat"], stdin=data, deadline=soon()).stdout == data


def test_input_nobody_reads_does_not_block(transport):
    assert transport.run("exit 3", stdin=bytes(1_000_000), deadline=soon()).exit_status == 3


def test_a_grandchild_that_keeps_the_pipe_does_not_hold_up_the_exit(transport):
    result = transport.run("sleep 30 & echo $!", deadline=soon())
    os.kill(int(result.text), signal.SIGKILL)
    assert result.exit_status == 0


def test_a_grandchild_that_writes_for_ever_does_not_hold_up_the_exit(transport):
    result = transport.run("yes & sleep 0.1; echo last >&2; exit 3", deadline=soon())
    assert result.exit_status == 3
    assert result.stderr == b"last\n"


def test_large_output_is_whole(transport):
    result = transport.run("seq 1 2000000; echo end >&2", deadline=soon())
    assert result.stdout == b"".join(b"%d\n" % n for n in range(1, 2_000_001))
    assert result.stderr == b"end\n"


def test_large_output_grows_neither_side(transport):
    with agent_process() as (sock, process):
        transport = AgentTransport(Channel(sock))
        seen = 0
        peaks = []

        def take(data: bytes) -> None:
            nonlocal seen
            seen += len(data)
            status = Path(f"/proc/{process.pid}/status").read_text()
            peaks.append(int(status.split("VmRSS:")[1].split()[0]))

        running = transport.stream("head -c 100000000 /dev/zero", on_stdout=take, deadline=soon())
        assert running.wait(Deadline.after(60)).exit_status == 0
        transport.close()
    assert seen == 100_000_000
    assert peaks[-1] - peaks[len(peaks) // 10] < 8_000  # KiB; sanitizer included


def test_a_slow_consumer_holds_up_only_itself(transport):
    gate = threading.Event()
    slow = transport.stream(
        "head -c 5000000 /dev/zero", on_stdout=lambda _: gate.wait() and None, deadline=soon()
    )
    assert transport.run("echo quick", deadline=soon()).text == "quick\n"
    gate.set()
    assert slow.wait(soon()).exit_status == 0


def test_concurrent_commands(transport):
    results: dict[int, str] = {}

    def work(number: int) -> None:
        results[number] = transport.run(f"echo {number}", deadline=soon()).text

    threads = [threading.Thread(target=work, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {number: f"{number}\n" for number in range(20)}


def test_a_hurried_wait_ends_early_and_those_after_it_too(transport):
    threading.Timer(0.3, transport.channel.hurry, [0.2]).start()
    for _ in range(2):
        began = time.monotonic()
        with pytest.raises(DeadlineExpired):
            transport.run("sleep 60", deadline=Deadline.after(50))
        assert time.monotonic() - began < 20
    assert transport.run("sleep 0.01; echo soon", deadline=Deadline.after(50)).text == "soon\n"


def test_what_has_no_deadline_is_not_hurried(transport):
    transport.channel.hurry(0.01)
    running = transport.stream(
        "sleep 0.5; exit 3", on_stdout=lambda _: None, deadline=Deadline.never()
    )
    assert running.wait(soon()).exit_status == 3


def test_timeout_kills_the_whole_group_and_the_channel_lives(transport, tmp_path):
    pids = tmp_path / "pids"
    command = f"(yes & echo $! > {pids}; wait)"
    with pytest.raises(DeadlineExpired):
        transport.run(command, deadline=Deadline.after(0.5))
    assert transport.run("echo alive", deadline=soon()).text == "alive\n"
    deadline = soon()
    while Path(f"/proc/{pids.read_text().strip()}/stat").exists():
        deadline.check("the group's member is still there")
        time.sleep(0.01)


def test_stream_input_and_signal(transport):
    got = bytearray()
    running = transport.stream("cat; exit 9", on_stdout=got.extend, deadline=soon())
    running.send(b"x" * 1_000_000)
    running.close_input()
    assert running.wait(soon()).exit_status == 9
    assert len(got) == 1_000_000

    running = transport.stream("sleep 60", on_stdout=got.extend, deadline=soon())
    with pytest.raises(DeadlineExpired):
        running.wait(Deadline.after(0.05))
    running.signal(signal.SIGTERM)
    assert running.wait(soon()).exit_status == 128 + signal.SIGTERM


def test_a_signal_that_comes_before_the_child_runs_is_not_lost(transport):
    for _ in range(200):
        running = transport.stream(["sleep", "60"], on_stdout=lambda _: None, deadline=soon())
        running.signal(signal.SIGKILL)
        assert running.wait(soon()).exit_status == 128 + signal.SIGKILL


def test_a_callback_that_fails_ends_the_command(transport):
    def bad(data: bytes) -> None:
        raise ZeroDivisionError

    running = transport.stream("yes", on_stdout=bad, deadline=soon())
    with pytest.raises(ZeroDivisionError):
        running.wait(soon())


def test_put_and_get(transport, tmp_path):
    data = os.urandom(300_000)
    transport.put(data, str(tmp_path / "file"), mode=0o750, deadline=soon())
    assert (tmp_path / "file").read_bytes() == data
    assert (tmp_path / "file").stat().st_mode & 0o7777 == 0o750
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert transport.get(str(tmp_path / "file"), deadline=soon()) == data
    assert b"Linux" in transport.get("/proc/version", deadline=soon())
    transport.put(b"", str(tmp_path / "empty"), deadline=soon())
    assert transport.get(str(tmp_path / "empty"), deadline=soon()) == b""


def test_put_and_get_say_what_is_wrong(transport, tmp_path):
    with pytest.raises(GuestError, match=r"cannot read /no/file: No such file"):
        transport.get("/no/file", deadline=soon())
    with pytest.raises(GuestError, match=r"cannot write /no/file: No such file"):
        transport.put(b"x" * 200_000, "/no/file", deadline=soon())


def test_clock(transport):
    reading = transport.clock(soon())
    assert abs(reading.guest_ns - time.clock_gettime_ns(time.CLOCK_BOOTTIME)) < 10_000_000_000
    assert reading.uncertainty_ns >= 0


def test_agent_killed_while_a_command_runs():
    with agent_process(status=-signal.SIGKILL) as (sock, process):
        transport = AgentTransport(Channel(sock))
        running = transport.stream("cat", on_stdout=lambda _: None, deadline=soon())
        process.kill()
        with pytest.raises(TransportError, match=r"channel (broke|was closed)"):
            running.wait(soon())
        transport.close()


def test_failing_the_channel_wakes_whoever_waits(transport):
    threading.Timer(0.1, lambda: transport.channel.fail("the guest is gone")).start()
    with pytest.raises(TransportError, match="the guest is gone"):
        transport.run("sleep 60", deadline=soon())


def test_a_new_session_ends_what_the_old_one_ran(tmp_path):
    """A host that went away in the middle of a frame; the next one takes over the stream."""
    with agent_process() as (sock, _):
        sock_again = sock.dup()
        first = AgentTransport(Channel(sock))
        pid = int(first.run("setsid sleep 60 >/dev/null 2>&1 & echo $!", deadline=soon()).text)
        os.kill(pid, signal.SIGKILL)
        file = tmp_path / "pid"
        first.stream(
            f"echo $$ > {file}; yes", on_stdout=lambda _: time.sleep(0.01), deadline=soon()
        )
        deadline = soon()
        while not file.exists() or not file.read_text():
            deadline.check("the command has not begun")
        first.close()
        torn = encode(1, FrameType.PUT, 7, bytes(MAX_PAYLOAD))[:1000]
        sock_again.setblocking(True)
        sock_again.sendall(torn)
        second = AgentTransport(Channel(sock_again, resync=True))
        second.channel.wait_welcome(soon())
        assert second.run("echo second", deadline=soon()).text == "second\n"
        while Path(f"/proc/{file.read_text().strip()}").exists():
            deadline.check("the old session's command still runs")
        second.close()


def test_rubbish_is_not_obeyed():
    with agent_process() as (sock, _):
        again = sock.dup()
        again.sendall(os.urandom(100_000) + encode(5, FrameType.EXEC, 1, b"/bin/false\0"))
        channel = Channel(sock, resync=True)
        channel.wait_welcome(soon())
        channel.close()
        again.close()
