"""Steps that a trial's guest and its control guest have in common."""

from __future__ import annotations

import shlex

from lpharness.base.busyness import host_busyness
from lpharness.base.deadline import Deadline
from lpharness.guests.contract import Guest
from lpharness.guests.slowness import slowness
from lpharness.timeline.events import ActionTaken, Note, Phase
from lpharness.timeline.recorder import Recorder
from lpharness.trial.plan import Plan
from lpharness.trial.programs import put_boot_files, put_programs
from lpharness.workloads.files import put_files

_BACKGROUND = "setsid /bin/sh </dev/null >/dev/null 2>&1 -c "


class Steps:
    """What is done in a guest for a case; each step is recorded."""

    def __init__(self, plan: Plan, guest: Guest, recorder: Recorder) -> None:
        self._plan = plan
        self._case = plan.case
        self._guest = guest
        self._recorder = recorder
        self._slowness = slowness(guest) * host_busyness()

    def _set_up(self) -> None:
        files = (*self._plan.programs, *self._plan.companions)
        put_programs(files, self._guest.transport, self._soon())
        if self._case.boot_files:
            spec = self._guest.spec
            put_boot_files(
                spec.kernel.image, spec.image.initramfs, self._guest.transport, self._soon(20)
            )
        put_files(self._plan.workload_files, self._guest.transport, self._soon(20))
        for command in self._case.setup:
            self._act(f"setup: {command}", command)

    def _load_target(self) -> None:
        if self._case.target is not None:
            for name in self._case.target.modules:
                self._act(f"load target {name}", f"modprobe {name}")

    def _take_actions(self, phase: Phase, module: str | None) -> None:
        """Take the case's steps for a phase that begins."""
        for action in self._case.actions:
            if action.phase != phase.value or action.module not in ("", module):
                continue
            if action.background:
                self._act(f"action: {action.run}", _BACKGROUND + shlex.quote(action.run) + " &")
            else:
                self._act(f"action: {action.run}", action.run, action.exit, action.timeout_s)

    def _act(
        self, action: str, command: str, wanted: int | None = 0, seconds: float = 10.0
    ) -> None:
        result = self._guest.transport.run(command, deadline=self._soon(seconds))
        self._recorder.add(
            ActionTaken(
                host_ns=self._recorder.now(),
                guest_ns=result.guest_ended_ns,
                action=action,
                exit_status=result.exit_status,
                began_ns=result.guest_began_ns,
                wanted=wanted,
                detail=(result.stderr or result.stdout).decode(errors="replace")[:2000].strip(),
            )
        )

    def _note(self, text: str) -> None:
        self._recorder.add(Note(host_ns=self._recorder.now(), text=text))

    def _transition_bound(self) -> Deadline:
        """Return a bound for a transition that may take as long as the case allows."""
        accelerator = self._guest.start.accelerator
        return Deadline.after(self._case.expect.transition_bound(accelerator) + 2)

    def _soon(self, seconds: float = 4.0) -> Deadline:
        """Return a bound for a step that takes ``seconds`` at most on a quick machine."""
        return Deadline.after(seconds * self._slowness)
