"""Heartbeats in a real guest's kernel: planted stand-stills are seen, where and how long they were.

What the host takes away makes other gaps, so each test looks for one that holds all of what was
planted, and asks of the others only that they are no such.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from guest_support import soon, spec

from lpharness.engine.beats import KernelHeartbeat, build_beats
from lpharness.engine.build import build_plain
from lpharness.guests import backend
from lpharness.guests.contract import Guest
from lpharness.kernels import with_headers
from lpharness.timeline.events import BeatGap, BeatsBegan, BeatsRead
from lpharness.timeline.recorder import Recorder

PLANT = Path(__file__).parent / "beats" / "lph_plant.c"
MS = 1_000_000
ALL, OTHERS_WAIT = -1, -2
KERNELS = ["debian:6.1-cloud", "debian:6.12-cloud"]


class Ward:
    """A guest whose hearts are listened to."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest
        self.recorder = Recorder()
        kernel = with_headers(guest.spec.kernel)
        self.hearts = KernelHeartbeat(build_beats(kernel), guest, self.recorder)
        guest.transport.put(build_plain(PLANT, kernel), "/tmp/lph_plant.ko", deadline=soon())

    def run(self, command: str) -> str:
        done = self.guest.transport.run(command, deadline=soon())
        assert done.exit_status == 0, done.stderr
        return done.text

    def plant(self, cpu: int, ms: int) -> tuple[int, int, int]:
        """Let CPUs stand still as ``lph_plant.c`` says; return when it was, and which CPU.

        Times are the guest's, in nanoseconds.
        """
        self.run(f"insmod /tmp/lph_plant.ko cpu={cpu} ms={ms}")
        read = self.run("cd /sys/module/lph_plant/parameters && cat began ended cpu")
        self.run("rmmod lph_plant")
        began, ended, where = map(int, read.split())
        return began, ended, where

    def heard(self) -> dict[int, list[BeatGap]]:
        """Return what was seen since this was asked before."""
        before = len(self.recorder.events)
        self.hearts.read(soon())
        read = [e for e in self.recorder.events[before:] if isinstance(e, BeatsRead)]
        assert all(event.beats and not event.lost for event in read)
        return {event.cpu: list(event.gaps) for event in read}


@pytest.fixture(scope="module", params=KERNELS)
def ward(request: pytest.FixtureRequest) -> Iterator[Ward]:
    with backend("qemu").start(spec(request.param), deadline=soon()) as guest:
        one = Ward(guest)
        one.hearts.start(soon())
        yield one
        one.hearts.stop(soon())
        assert "lph_beats" not in one.run("cat /proc/modules")
        assert not [line.text for line in guest.console if "WARNING" in line.text]


def holding(gaps: list[BeatGap], began: int, ended: int) -> BeatGap:
    """Return the gap in which all of a stand-still lies; it must be the only one."""
    (found,) = [g for g in gaps if g.ended_ns - g.length_ns <= began and g.ended_ns >= ended]
    return found


def period(ward: Ward) -> int:
    return next(e.period_ns for e in ward.recorder.events if isinstance(e, BeatsBegan))


def test_every_cpu_beats_as_often_as_it_said(ward: Ward) -> None:
    ward.heard()
    before = int(ward.run("cut -d' ' -f1 /proc/uptime | tr -d ."))
    ward.run("sleep 2")
    ward.hearts.read(soon())
    after = int(ward.run("cut -d' ' -f1 /proc/uptime | tr -d ."))
    most = (after - before) * 10 * MS / period(ward)
    read = [e for e in ward.recorder.events if isinstance(e, BeatsRead)][-2:]
    assert {event.cpu for event in read} == {0, 1}
    for event in read:
        # A loaded host takes a CPU away for most of the time.
        assert 0.05 * most < event.beats <= 1.1 * most, event
        # It goes on while it is read.
        assert 0.8 * event.beats <= sum(event.counts.values()) <= 1.2 * event.beats


@pytest.mark.parametrize("cpu", [0, 1])
def test_a_cpu_with_interrupts_off_is_seen_and_the_other_one_is_not(ward: Ward, cpu: int) -> None:
    ward.heard()
    began, ended, _ = ward.plant(cpu, 200)
    heard = ward.heard()
    gap = holding(heard[cpu], began, ended)
    # A beat more at each end, and what the host may have taken there.
    assert ended - began <= gap.length_ns <= ended - began + 2 * period(ward) + 150 * MS
    assert gap.deaf_ns >= ended - began
    assert not [
        g
        for g in heard[1 - cpu]
        if g.ended_ns - g.length_ns <= began + 10 * MS and g.ended_ns >= ended - 10 * MS
    ]


def test_a_stopped_machine_is_seen_on_every_cpu(ward: Ward) -> None:
    ward.heard()
    began, ended, _ = ward.plant(ALL, 100)
    heard = ward.heard()
    for cpu in (0, 1):
        gap = holding(heard[cpu], began, ended)
        assert gap.deaf_ns >= ended - began
        assert gap.length_ns >= gap.deaf_ns


def test_a_cpu_whose_stopper_waits_does_nothing_though_it_takes_interrupts(ward: Ward) -> None:
    """As `stop_machine` makes it wait for a CPU that is late; a timer alone would not see it."""
    ward.heard()
    began, ended, late = ward.plant(OTHERS_WAIT, 300)
    heard = ward.heard()
    assert holding(heard[late], began, ended).deaf_ns >= ended - began
    waiting = max(heard[1 - late], key=lambda gap: gap.length_ns)
    # It is asked to wait just after the other one began to be late.
    assert waiting.length_ns >= (ended - began) // 2
    assert ended <= waiting.ended_ns
    assert waiting.deaf_ns < waiting.length_ns


def test_a_short_one_is_seen_as_well(ward: Ward) -> None:
    """Far shorter than the 10 ms of a process's heartbeat."""
    least = next(e.kept_ns for e in ward.recorder.events if isinstance(e, BeatsBegan))
    ms = least // MS + 2
    ward.heard()
    began, ended, _ = ward.plant(1, ms)
    assert holding(ward.heard()[1], began, ended).length_ns >= ms * MS


def test_a_cpu_that_goes_and_comes_again_beats_again_and_was_not_still(ward: Ward) -> None:
    ward.heard()
    ward.run("echo 0 > /sys/devices/system/cpu/cpu1/online")
    ward.hearts.read(soon())
    ward.run("sleep 1")
    before = len(ward.recorder.events)
    ward.hearts.read(soon())
    told = [e for e in ward.recorder.events[before:] if isinstance(e, BeatsRead)]
    assert {event.cpu: bool(event.beats) for event in told} == {0: True, 1: False}
    ward.run("echo 1 > /sys/devices/system/cpu/cpu1/online && sleep 0.5")
    assert not [gap for gap in ward.heard()[1] if gap.length_ns >= 1000 * MS]
