"""The guest contract and the transport contract, with QEMU."""

import os
import signal

import pytest
from guest_contract import GuestContract
from guest_support import soon, spec
from transport_contract import TransportContract

from lpharness.base.errors import DeadlineExpired, TransportError
from lpharness.guests import backend as find_backend
from lpharness.guests.contract import Condition


class TestQemuGuest(GuestContract):
    @pytest.fixture
    def backend(self):
        return find_backend("qemu")

    def kill_machine(self, guest):
        os.kill(guest.pid, signal.SIGKILL)

    def pause_machine(self, guest):
        guest.machine.execute("stop", soon())

    def break_channel(self, guest):
        guest.machine.channel.fail("cut by the test")

    def test_a_stopped_qemu_is_silent(self, guest):
        os.kill(guest.pid, signal.SIGSTOP)
        condition, detail = guest.condition()
        assert condition == Condition.SILENT
        assert "stopped by a signal" in detail
        with pytest.raises(DeadlineExpired, match="silent"):
            guest.transport.run("true", deadline=soon().sooner(1))
        os.kill(guest.pid, signal.SIGCONT)
        guest.transport.run("true", deadline=soon())
        assert guest.condition()[0] == Condition.ALIVE

    def test_events_are_kept(self, guest):
        before = len(guest.monitor_events)  # a restore has a RESUME of its own
        guest.machine.execute("stop", soon())
        guest.machine.execute("cont", soon())
        guest.machine.wait_event(
            lambda event: event.name == "RESUME", soon(), "resume", skip=before
        )
        names = [event.name for event in guest.monitor_events[before:]]
        assert names == ["STOP", "RESUME"]

    def test_an_agent_that_dies_is_started_anew(self, guest):
        with pytest.raises(TransportError, match="started anew"):
            guest.transport.run("kill -9 $(pidof agent); sleep 60", deadline=soon())
        assert guest.transport.run("echo again", deadline=soon()).text == "again\n"
        assert guest.condition()[0] == Condition.ALIVE

    def test_a_reader_that_hangs_hangs_only_itself(self, guest):
        """The agent must not read what may block by itself."""
        with pytest.raises(DeadlineExpired):
            guest.transport.get("/sys/kernel/tracing/trace_pipe", deadline=soon().sooner(1))
        assert guest.condition()[0] == Condition.ALIVE

    def test_out_of_memory_does_not_take_the_agent(self, guest):
        """What eats the memory is killed, and the guest answers all the while."""
        pid = guest.transport.run("pidof agent", deadline=soon()).text
        size = "$(awk '/MemTotal/ { print $2 - 4096 }' /proc/meminfo)"
        eater = f"dd if=/dev/zero of=/dev/null count=1 bs={size}K"
        guest.transport.run(eater, deadline=soon())
        assert guest.transport.run("pidof agent", deadline=soon()).text == pid
        assert any("Out of memory" in line.text for line in guest.console)

    def test_ends_by_itself(self, guest):
        pid = guest.pid
        guest.close()
        assert not os.path.exists(f"/proc/{pid}")  # noqa: PTH110


def test_a_watchdog_that_nobody_feeds_resets_the_guest():
    """On 6.12: the 6.1 cloud kernel has no driver for it."""
    with find_backend("qemu").start(spec("debian:6.12-cloud"), deadline=soon()) as guest:
        guest.transport.run("watchdog -T 1 -t 600 /dev/watchdog", deadline=soon())
        guest.machine.wait_event(lambda event: event.name == "SHUTDOWN", soon(), "reset")
        assert "WATCHDOG" in [event.name for event in guest.monitor_events]
        assert guest.condition() == (Condition.RESET, "the machine was reset (watchdog)")


@pytest.fixture(scope="module")
def shared_guest():
    with find_backend("qemu").start(spec(), deadline=soon()) as guest:
        yield guest


class TestAgent(TransportContract):
    @pytest.fixture
    def transport(self, shared_guest):
        return shared_guest.transport
