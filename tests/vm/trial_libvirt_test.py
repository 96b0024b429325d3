"""A trial whose libvirtd is killed and comes again: nobody can say, and nothing is left."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import libvirt_daemons
import psutil
import pytest
from asked_for import long_only

from lpharness.base.deadline import Deadline
from lpharness.bench.faults import Caught, Fault
from lpharness.bench.faults.attempt import attempt
from lpharness.bench.faults.plants import PLANTS
from lpharness.bench.faults.scene import Planting, Scene
from lpharness.results.model import Verdict
from lpharness.timeline.events import Phase

LONG = long_only("each phase boots a guest from nothing")


@pytest.mark.parametrize(
    "phase",
    [
        Phase.STEADY,
        pytest.param(Phase.TRANSITION, marks=LONG),
        pytest.param(Phase.UNLOAD, marks=LONG),
    ],
)
def test_libvirtd_is_killed_in_mid_trial(phase: Phase, monkeypatch: pytest.MonkeyPatch) -> None:
    with libvirt_daemons.session_daemon() as session:
        monkeypatch.setitem(PLANTS, "libvirtd-killed", lambda scene: _kill(scene, session))
        outcome = attempt(
            Fault(
                title="libvirtd is killed, and comes again",
                verdict=Verdict.ERROR,
                check="harness",
                evidence=("connection to libvirt",),
                case="cmdline",
                options=("--backend", "libvirt", "--uri", session.unix),
                plant="libvirtd-killed",
                phase=phase,
                name=f"machine/libvirtd-killed-{phase}",
            )
        )
        assert outcome.caught is Caught.CAUGHT, outcome.reason
        _await_end_of_guests(session)


def _kill(scene: Scene, session: libvirt_daemons.Session) -> Planting:
    yield
    scene.await_phase()
    assert _guests(session)  # or this test tells nothing
    os.kill(int(session.pid_file.read_text()), signal.SIGKILL)


def _await_end_of_guests(session: libvirt_daemons.Session) -> None:
    deadline = Deadline.after(20)
    while _guests(session):
        deadline.check("QEMU ends")


def _guests(session: libvirt_daemons.Session) -> list[int]:
    """Return the QEMUs of a daemon: each has its monitor in the daemon's folder."""
    folder: Path = session.socket.parent.parent
    return [
        process.pid
        for process in psutil.process_iter(["name", "cmdline"])
        if process.info["name"].startswith("qemu-system")
        and any(str(folder) in word for word in process.info["cmdline"] or ())
    ]
