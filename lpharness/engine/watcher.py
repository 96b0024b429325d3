"""Following transitions in the guest, by the kernel's own events.

``/lph/watch transitions`` (``images/programs/watch/transitions.c``) puts kprobe events on the
livepatch core (``kernel/livepatch/transition.c``) and says, line by line, what the kernel does;
here its lines become timeline events that others can wait for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Literal, cast

import msgspec

from lpharness.base.deadline import Deadline
from lpharness.base.errors import DeadlineExpired, TransportError
from lpharness.engine.registrar import LIVEPATCH, Registrar
from lpharness.guests.contract import Guest
from lpharness.timeline.events import (
    Blocker,
    Note,
    TaskMoved,
    TasksSampled,
    TransitionMarked,
)
from lpharness.timeline.recorder import Recorder

Mark = Literal["began", "reversed", "completed", "forced", "abandoned"]
Direction = Literal["patching", "unpatching"]

# The livepatch core's function that was entered, and the mark it stands for.
_MARKS: dict[str, Mark] = {
    "start": "began",
    "reverse": "reversed",
    "force": "forced",
    "abandon": "abandoned",
    "complete": "completed",
}
# What pr_notice() says in the same places, for kernels on which no kprobe could be had.
_MESSAGES: dict[str, tuple[Mark, Direction]] = {
    "starting patching transition": ("began", "patching"),
    "starting unpatching transition": ("began", "unpatching"),
    "patching complete": ("completed", "patching"),
    "unpatching complete": ("completed", "unpatching"),
}


class TransitionOver(DeadlineExpired):
    """No transition runs any more, and none was seen to complete: it was given up, or missed."""


class Watcher:
    """A running watcher; `expect` tells it whose transition comes next."""

    def __init__(self, guest: Guest, recorder: Recorder, registrar: Registrar = LIVEPATCH) -> None:
        self._recorder = recorder
        self._changed = threading.Condition()
        self._marks: list[TransitionMarked] = []
        self._blockers: set[str] = set()
        self._patch = ""
        self._ready = False
        self._partial = b""
        self.tracing = False
        self._running = guest.transport.stream(
            ["/lph/watch", "transitions", *registrar.watched],
            on_stdout=self._on_output,
            deadline=Deadline.never(),
        )

    def await_ready(self, deadline: Deadline) -> None:
        """Wait until the watcher looks.

        Raises:
            DeadlineExpired: it did not come up in time.
        """
        self._wait(lambda: self._ready, deadline, "the transition watcher to start")

    def expect(self, patch: str) -> None:
        """Say which patch the next marks are of; the kernel runs one transition at a time."""
        with self._changed:
            self._patch = patch
            self._marks.clear()
            self._blockers.clear()

    def await_mark(self, mark: Mark, direction: Direction, deadline: Deadline) -> TransitionMarked:
        """Wait for a mark of the expected patch.

        Raises:
            DeadlineExpired: it did not come in time.
            TransitionOver: it will not.
        """
        found: list[TransitionMarked] = []

        def came() -> bool:
            wanted = (mark, "abandoned")
            found[:] = [m for m in self._marks if m.mark in wanted and m.direction == direction]
            return bool(found)

        self._wait(came, deadline, f"{direction} of '{self._patch}' to have {mark}")
        if found[0].mark != mark:
            raise TransitionOver(f"{direction} of '{self._patch}' was {found[0].mark}")
        return found[0]

    def await_blocker(self, comm: str, deadline: Deadline) -> None:
        """Wait until such a task was seen in the way of the expected patch, or none is any more.

        Raises:
            DeadlineExpired: none was seen in time.
        """
        over = ("completed", "abandoned")
        self._wait(
            lambda: comm in self._blockers or any(mark.mark in over for mark in self._marks),
            deadline,
            f"{comm} to be in the way of '{self._patch}'",
        )

    def close(self, deadline: Deadline) -> None:
        """Let the watcher take its probes down and end."""
        try:
            self._running.close_input()
            self._running.wait(deadline)
        except (DeadlineExpired, TransportError) as error:
            self._recorder.add(
                Note(host_ns=self._recorder.now(), text=f"the watcher did not end: {error}")
            )

    def _wait(self, condition: Callable[[], bool], deadline: Deadline, what: str) -> None:
        with self._changed:
            while not condition():
                # The condition wakes us at once; the bound is there to notice a dead guest.
                if self._changed.wait(min(0.5, deadline.remaining())):
                    continue
                if deadline.expired:
                    raise DeadlineExpired(f"waited in vain for {what}")
                self._check_alive(what)

    def _check_alive(self, what: str) -> None:
        """Raise if the watcher ended or its guest died: nobody will tell us any more."""
        try:
            result = self._running.wait(Deadline.after(0))
        except DeadlineExpired:
            return
        raise TransportError(f"the watcher ended ({result.exit_status}) before {what}")

    def _on_output(self, data: bytes) -> None:
        *lines, self._partial = (self._partial + data).split(b"\n")
        for line in lines:
            if line:
                self._on_line(msgspec.json.decode(line))
        with self._changed:
            self._changed.notify_all()

    def _on_line(self, said: dict[str, Any]) -> None:
        match said["e"]:
            case "ready":
                self.tracing = said["tracing"]
                self._ready = True
                if said["why"]:
                    self._note(f"watcher: {said['why']}")
            case "mark" if said["what"] in _MARKS:
                self._mark(_MARKS[said["what"]], said["target"], said["t"], "tracing")
            case "kmsg":
                self._on_message(said)
            case "moved":
                self._on_moved(said)
            case "sweep":
                self._on_sweep(said)

    def _on_message(self, said: dict[str, Any]) -> None:
        text = said["m"].removeprefix("livepatch: ")
        _, _, rest = text.partition("': ")
        if rest in _MESSAGES and not self.tracing:
            mark, direction = _MESSAGES[rest]
            self._mark(mark, int(direction == "patching"), said["us"] * 1000, "kmsg")

    def _mark(self, mark: Mark, target: int, t: int, source: Literal["tracing", "kmsg"]) -> None:
        event = TransitionMarked(
            host_ns=self._recorder.now(),
            guest_ns=t,
            patch=self._patch,
            mark=mark,
            direction="patching" if target else "unpatching",
            source=source,
        )
        self._recorder.add(event)
        with self._changed:
            self._marks.append(event)

    def _on_moved(self, said: dict[str, Any]) -> None:
        exact = said["after"] == said["t"]
        self._recorder.add(
            TaskMoved(
                host_ns=self._recorder.now(),
                guest_ns=said["t"],
                patch=self._patch,
                pid=said["pid"],
                comm=said["comm"],
                to=cast("Literal[0, 1]", said["to"]),
                kthread=bool(said["k"]),
                not_before_ns=None if exact else said["after"],
            )
        )

    def _on_sweep(self, said: dict[str, Any]) -> None:
        self._blockers |= {task["comm"] for task in said["blockers"]}
        self._recorder.add(
            TasksSampled(
                host_ns=self._recorder.now(),
                guest_ns=said["t"],
                patch=self._patch,
                target=cast("Literal[0, 1]", said["target"]),
                idle=said["idle"],
                unpatched=said["old"],
                patched=said["new"],
                blockers=tuple(
                    Blocker(
                        pid=task["pid"],
                        comm=task["comm"],
                        kthread=bool(task["k"]),
                        state=task["s"],
                        stack=tuple(task["stack"]),
                    )
                    for task in said["blockers"]
                ),
            )
        )

    def _note(self, text: str) -> None:
        self._recorder.add(Note(host_ns=self._recorder.now(), text=text))
