"""Images boot with real kernels, and hold what their recipes promise."""

import json
import shutil
from collections.abc import Iterator
from contextlib import suppress

import pytest

from lpharness import workloads
from lpharness.base.deadline import Deadline
from lpharness.base.errors import DeadlineExpired, GuestDied, HostError, TransportError
from lpharness.cases.model import Drive
from lpharness.guests import backend
from lpharness.guests.contract import Condition, Guest, GuestSpec
from lpharness.images import build
from lpharness.images.kmodules import normal_name
from lpharness.kernels import resolve

DRIVE = Drive(file="/proc/cmdline", syscall="personality", arguments=(0xFFFFFFFF,), park="pause")


def deadline() -> Deadline:
    return Deadline.after(120)  # far beyond need: no test here depends on the host's speed


def started(spec: str, recipe: str) -> Guest:
    if shutil.which("qemu-system-x86_64") is None:
        pytest.skip("QEMU is not installed")
    try:
        kernel = resolve(spec)
        image = build(recipe, kernel, guest_modules=["dm_mod"])
    except HostError as error:
        pytest.skip(f"no kernel or image: {error}")
    memory = max(512, image.memory_mb)
    return backend("qemu").start(
        GuestSpec(kernel=kernel, image=image, memory_mb=memory), deadline=deadline()
    )


@pytest.fixture(
    scope="module",
    params=[
        ("debian:6.1-cloud", "minimal"),
        ("debian:6.12-cloud", "minimal"),
        ("debian:6.1-cloud", "debian"),
    ],
    ids="-".join,
)
def booted(request: pytest.FixtureRequest) -> Iterator[Guest]:
    with started(*request.param) as guest:
        yield guest


def out(guest: Guest, command: str) -> str:
    result = guest.transport.run(command, deadline=deadline())
    assert result.exit_status == 0, (command, result)
    return result.text.strip()


def test_streams_have_their_names_in_dev(booted: Guest) -> None:
    assert out(booted, "echo to-stdout > /dev/stdout; echo x | cat /dev/stdin") == "to-stdout\nx"
    assert out(booted, "readlink /dev/fd") == "/proc/self/fd"


def test_everything_is_mounted(booted: Guest) -> None:
    mounts = {
        line.split()[1]: line.split()[2] for line in out(booted, "cat /proc/mounts").split("\n")
    }
    assert (
        mounts.items()
        >= {
            "/dev": "devtmpfs",
            "/dev/pts": "devpts",
            "/dev/shm": "tmpfs",
            "/proc": "proc",
            "/run": "tmpfs",
            "/sys": "sysfs",
            "/sys/kernel/debug": "debugfs",
            "/sys/kernel/tracing": "tracefs",
            "/tmp": "tmpfs",
        }.items()
    )
    assert out(booted, "touch /tmp/x /run/x /dev/shm/x && echo well") == "well"


def test_the_rest_of_init_s_work_is_done(booted: Guest) -> None:
    assert out(booted, "hostname") == "lpharness"
    assert out(booted, "ping -c 1 127.0.0.1 > /dev/null && echo well") == "well"
    assert out(booted, "ls /sys/class/net").split() == ["eth0", "lo"]
    modules = out(booted, "cut -d' ' -f1 /proc/modules").split()
    wanted = out(booted, "cat /etc/lpharness/modules").split()
    assert {"virtio_net", "virtio_rng", "virtio_blk"} <= {normal_name(path) for path in wanted}
    assert {normal_name(path) for path in wanted} <= set(modules)
    assert "dm_mod" not in modules
    assert not [line.text for line in booted.console if "init:" in line.text]


def test_modprobe_finds_what_was_asked_for(booted: Guest) -> None:
    assert out(booted, "modprobe dm_mod && grep -c '^dm_mod ' /proc/modules") == "1"
    assert booted.transport.run("modprobe no_such", deadline=deadline()).exit_status != 0


def test_init_reaps_orphans(booted: Guest) -> None:
    out(booted, "(sh -c 'exit 3' &) ; sleep 0.2")
    states = out(booted, "cat /proc/[0-9]*/stat | sed 's/.*) //' | cut -c1").split()
    assert "Z" not in states


def test_what_the_image_says_it_provides_is_there(booted: Guest) -> None:
    names = sorted(booted.spec.image.provides)
    missing = f"for n in {' '.join(f'{name!r}' for name in names)}; do type $n || echo - $n; done"
    lines = out(booted, missing).splitlines()
    assert [line for line in lines if line.startswith("- ")] == []
    assert {"sh", "awk", "modprobe", "dropbear"} <= set(names)


@pytest.mark.parametrize("name", workloads.names())
def test_workloads_run_and_end_well(booted: Guest, name: str) -> None:
    workload = workloads.find(name)
    if workload.image not in ("minimal", booted.spec.image.recipe):
        pytest.skip(f"needs the image {workload.image}")
    if workload.source:
        pytest.skip("needs the kernel's own source: tried in a trial")
    output: list[bytes] = []
    errors: list[bytes] = []
    running = booted.transport.stream(
        workload.command(DRIVE, 2),
        on_stdout=output.append,
        on_stderr=errors.append,
        deadline=deadline(),
    )
    out(booted, "sleep 1")
    if workload.release:
        out(booted, workload.release)
    running.signal(15)
    result = running.wait(deadline())
    assert result.exit_status == 0, b"".join(errors)
    first, *reports = [json.loads(line) for line in b"".join(output).splitlines()]
    assert first["workers"] == 2
    assert all(report["ops"] > 0 and report["errors"] == 0 for report in reports[-2:])
    assert "lph-" not in out(booted, "cat /proc/[0-9]*/comm")


def test_no_stressor_outlives_its_workload(booted: Guest) -> None:
    if booted.spec.image.recipe != "debian":
        pytest.skip("needs stress-ng")
    command = workloads.find("stress-ng").command(DRIVE, 2)
    kill = "sleep 1; kill -9 $!; sleep 1; cat /proc/[0-9]*/comm"
    assert "stress" not in out(booted, f"({command}) > /dev/null 2>&1 & {kill}")


def test_poweroff_powers_off() -> None:
    with started("debian:6.1-cloud", "minimal") as guest:
        with suppress(GuestDied, TransportError, DeadlineExpired):  # whether it answers is luck
            guest.transport.run("poweroff", deadline=Deadline.after(30))
        end = deadline()
        while guest.condition()[0] == Condition.ALIVE and not end.expired:
            pass
        assert guest.condition()[0] == Condition.POWERED_OFF


def test_debian_s_own_programs_run() -> None:
    with started("debian:6.1-cloud", "debian") as guest:
        assert "GNU bash" in out(guest, "bash --version")
        assert "GNU Awk" in out(guest, "awk --version")
        assert "procps" in out(guest, "ps --version")
        assert "util-linux" in out(guest, "mount --version")
        assert "coreutils" in out(guest, "ls --version")
        assert "kmod" in out(guest, "modprobe --version")
        assert "iproute2" in out(guest, "ip -V")
        assert out(guest, "perl -MPOSIX -MEncode -e 'print floor(2.5)'") == "2"
        assert out(guest, "readlink -f /bin/sh") == "/usr/bin/dash"
        job = "--name=j --filename=/tmp/f --size=1m --rw=randrw --verify=crc32c"
        assert "err= 0" in out(guest, f"fio {job}")
        assert out(guest, "truncate -s 8M /tmp/d && mke2fs -q /tmp/d && echo well") == "well"
