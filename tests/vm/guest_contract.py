"""What every backend's guests must do; a backend's tests inherit the class."""

import socket
import threading
import time

import pytest
from guest_support import soon, spec

from lpharness.base.deadline import Deadline
from lpharness.base.errors import DeadlineExpired, GuestDied, LpharnessError
from lpharness.guests.contract import Backend, Condition, Guest


def becomes(guest: Guest, condition: Condition) -> str:
    """Wait until the guest is in ``condition``; return what says so."""
    deadline = soon()
    while True:
        now, detail = guest.condition()
        if now == condition:
            return detail
        deadline.check(f"the guest stays {now} ({detail}) and does not become {condition}")
        time.sleep(0.02)


class GuestContract:
    """Inherit it, and override the fixture ``backend`` and the three methods below it."""

    host_tells = True
    """Whether the host's account of the machine's threads can be had."""

    @pytest.fixture
    def backend(self) -> Backend:
        raise NotImplementedError

    def kill_machine(self, guest):
        """Kill the machine's process from outside."""
        raise NotImplementedError

    def pause_machine(self, guest):
        """Let the monitor pause the machine."""
        raise NotImplementedError

    def break_channel(self, guest):
        """Cut the agent's channel, with the guest none the worse."""
        raise NotImplementedError

    @pytest.fixture
    def guest(self, backend):
        with backend.start(spec(), deadline=soon()) as guest:
            yield guest

    def test_start_tells_how(self, guest):
        start = guest.start
        assert start.how in ("boot", "restore")
        assert start.seconds > 0
        assert start.accelerator in ("tcg", "kvm")
        assert start.accelerator_why
        assert start.backend_version
        assert start.command_line

    def test_runs_the_kernel_asked_for(self, guest):
        said = guest.transport.run("uname -r; nproc", deadline=soon()).text
        assert said == f"{spec().kernel.release}\n{guest.spec.cpus}\n"

    def test_alive(self, guest):
        assert guest.condition()[0] == Condition.ALIVE

    def test_console_is_followed(self, backend, tmp_path):
        log = tmp_path / "console.log"
        came = threading.Event()
        with backend.start(spec(), console_log=log, deadline=soon()) as guest:
            before = len(guest.console)
            guest.on_console(lambda line: "hello-console" in line.text and came.set())
            guest.transport.run("echo hello-console > /dev/kmsg", deadline=soon())
            assert came.wait(30)
            line = next(line for line in guest.console[before:] if "hello-console" in line.text)
            assert guest.console[line.number - 1] == line
        assert "hello-console" in log.read_text(errors="replace").split("\n")[line.number - 1]

    def test_a_fresh_boot_has_its_whole_console(self, backend, tmp_path):
        log = tmp_path / "console.log"
        with backend.start(spec(), console_log=log, fresh=True, deadline=soon()) as guest:
            assert guest.start.how == "boot"
            assert any("Linux version" in line.text for line in guest.console)
        assert b"Linux version" in log.read_bytes()

    def test_clock(self, guest):
        first = guest.clock(soon())
        uptime = float(guest.transport.get("/proc/uptime", deadline=soon()).split()[0])
        second = guest.clock(soon())
        assert first.guest_ns / 1e9 - 0.02 <= uptime <= second.guest_ns / 1e9
        assert first.host_ns < second.host_ns

    def test_its_share_of_the_hosts_cpus_grows_with_its_work(self, guest):
        if not self.host_tells:
            assert guest.cpu_share() is None
            return
        before = guest.cpu_share()
        guest.transport.run("i=0; while [ $i -lt 2000 ]; do i=$((i + 1)); done", deadline=soon())
        after = guest.cpu_share()
        assert after.run_ns > before.run_ns
        assert after.waited_ns >= before.waited_ns

    def test_command_stamps_are_of_the_guests_clock(self, guest):
        before = guest.clock(soon())
        result = guest.transport.run("sleep 0.2", deadline=soon())
        after = guest.clock(soon())
        assert before.guest_ns <= result.guest_began_ns
        assert result.guest_began_ns + 200_000_000 <= result.guest_ended_ns <= after.guest_ns

    def test_wall_clock_is_the_hosts(self, guest):
        before = time.time()
        guests = float(guest.transport.run("date +%s", deadline=soon()).text)
        assert before - 2 <= guests <= time.time() + 2

    def test_two_guests_are_no_twins(self, backend):
        read = "head -c 32 /dev/urandom | sha256sum; cat /proc/sys/kernel/random/uuid"
        said = []
        for _ in range(2):
            with backend.start(spec(), deadline=soon()) as guest:
                said.append(guest.transport.run(read, deadline=soon()).text.split("\n"))
        assert said[0][0] != said[1][0]
        assert said[0][1] != said[1][1]

    def test_no_way_out(self, guest):
        """Not even to a port of the host that listens on all addresses."""
        with socket.create_server(("0.0.0.0", 0)) as server:
            port = server.getsockname()[1]
            said = guest.transport.run(
                "ip link set eth0 up && ip addr add 10.0.2.15/24 dev eth0 && echo up; "
                f"echo hello | nc -w 3 10.0.2.2 {port}",
                deadline=soon(),
            )
            server.setblocking(False)
            assert said.text == "up\n"
            assert said.exit_status != 0
            with pytest.raises(BlockingIOError):
                server.accept()

    # --- ends -------------------------------------------------------------------------------

    def test_panic(self, guest):
        with pytest.raises(GuestDied) as caught:
            guest.transport.run("echo c > /proc/sysrq-trigger; sleep 60", deadline=soon())
        assert caught.value.condition == Condition.PANICKED
        assert guest.condition()[0] == Condition.PANICKED

    def test_reset(self, guest):
        with pytest.raises(GuestDied) as caught:
            guest.transport.run("echo b > /proc/sysrq-trigger; sleep 60", deadline=soon())
        assert caught.value.condition == Condition.RESET
        assert guest.condition()[0] == Condition.RESET

    def test_power_off(self, guest):
        with pytest.raises(GuestDied) as caught:
            guest.transport.run("poweroff -f; sleep 60", deadline=soon())
        assert caught.value.condition == Condition.POWERED_OFF
        assert guest.condition()[0] == Condition.POWERED_OFF

    def test_killed(self, guest):
        running = guest.transport.stream("sleep 60", on_stdout=lambda _: None, deadline=soon())
        self.kill_machine(guest)
        with pytest.raises(GuestDied) as caught:
            running.wait(soon())
        assert caught.value.condition == Condition.KILLED
        assert guest.condition()[0] == Condition.KILLED
        with pytest.raises(GuestDied):
            guest.transport.run("true", deadline=soon())

    def test_paused(self, guest):
        self.pause_machine(guest)
        assert guest.condition()[0] == Condition.PAUSED

    def test_connection_lost(self, guest):
        self.break_channel(guest)
        assert guest.condition()[0] == Condition.CONNECTION_LOST
        with pytest.raises(LpharnessError, match="connection-lost"):
            guest.transport.run("true", deadline=soon())

    def test_a_command_that_hangs_is_told_from_a_guest_that_does(self, guest):
        with pytest.raises(DeadlineExpired, match="command-hangs"):
            guest.transport.run("sleep 983", deadline=Deadline.after(1))
        condition, detail = guest.condition()
        assert condition == Condition.COMMAND_HANGS
        assert "sleep 983" in detail
        guest.transport.run("true", deadline=soon())
        assert guest.condition()[0] == Condition.ALIVE

    def test_an_oops_that_the_guest_survives_is_no_death(self, guest):
        """The console alone does not say that a guest is dead."""
        said = "BUG: kernel NULL pointer dereference, address: 0000000000000000"
        guest.transport.run(f"echo '<1>{said}' > /dev/kmsg", deadline=soon())
        assert guest.condition()[0] == Condition.ALIVE

    def test_close_is_idempotent(self, backend):
        guest = backend.start(spec(), deadline=soon())
        guest.close()
        guest.close()
        with pytest.raises(LpharnessError):
            guest.transport.run("true", deadline=soon())

    def test_dump_memory(self, guest, tmp_path):
        core = tmp_path / "vmcore"
        guest.dump_memory(core, soon())
        assert core.read_bytes()[:4] == b"\x7fELF"
        assert core.stat().st_size > spec().image.memory_mb << 20
        assert [path.name for path in tmp_path.iterdir()] == ["vmcore"]
        assert guest.condition()[0] == Condition.ALIVE

    def test_dump_memory_of_a_panicked_guest(self, guest, tmp_path):
        with pytest.raises(GuestDied):
            guest.transport.run("echo c > /proc/sysrq-trigger; sleep 60", deadline=soon())
        guest.dump_memory(tmp_path / "vmcore", soon())
        assert (tmp_path / "vmcore").read_bytes()[:4] == b"\x7fELF"
