"""The watcher's lines become events that can be waited for."""

from __future__ import annotations

import json
import threading

import pytest

from lpharness.base.deadline import Deadline
from lpharness.base.errors import DeadlineExpired, TransportError
from lpharness.engine import livepatch
from lpharness.engine.watcher import TransitionOver, Watcher
from lpharness.guests.contract import CommandResult
from lpharness.timeline.events import Note, TaskMoved, TasksSampled, TransitionMarked
from lpharness.timeline.recorder import Recorder


class RecordedProgram:
    """Stands for a guest whose watcher says what a real one said once."""

    def __init__(self) -> None:
        self.transport = self
        self.ended = False
        self.transition = b"1\n"
        self.say = None

    def stream(self, command, *, on_stdout, deadline):
        assert command == ["/lph/watch", "transitions"]
        self.say = lambda **said: on_stdout(json.dumps(said).encode() + b"\n")
        self.raw = on_stdout
        return self

    def run(self, command, *, deadline):
        """The patch's folder, as the kernel shows it."""
        assert "/lph_x/" in command
        said = b"0\n" if command.startswith("echo") else self.transition
        return CommandResult(exit_status=0, stdout=said, stderr=b"", seconds=0.0)

    def wait(self, deadline):
        if self.ended:
            return CommandResult(exit_status=137, stdout=b"", stderr=b"", seconds=0.0)
        raise DeadlineExpired("it runs")


@pytest.fixture
def program():
    return RecordedProgram()


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture
def watcher(program, recorder):
    watcher = Watcher(program, recorder)
    program.say(e="ready", t=1, tracing=True, why="")
    watcher.await_ready(Deadline.after(1))
    watcher.expect("lph_x")
    return watcher


def test_marks_come_with_the_kernels_stamp(program, recorder, watcher):
    program.say(e="mark", what="init", t=10, target=1)
    program.say(e="mark", what="start", t=11, target=1)
    program.say(e="mark", what="try", t=12, target=1)
    program.say(e="mark", what="complete", t=13, target=1)
    assert watcher.await_mark("completed", "patching", Deadline.after(1)).guest_ns == 13
    marks = [e for e in recorder.events if isinstance(e, TransitionMarked)]
    assert [(m.mark, m.guest_ns, m.patch, m.source) for m in marks] == [
        ("began", 11, "lph_x", "tracing"),
        ("completed", 13, "lph_x", "tracing"),
    ]


def test_a_line_split_over_two_reads_is_one_event(program, recorder, watcher):
    whole = json.dumps({"e": "mark", "what": "start", "t": 5, "target": 0}).encode() + b"\n"
    program.raw(whole[:17])
    program.raw(whole[17:])
    assert recorder.events[-1].direction == "unpatching"


def test_messages_stand_in_where_there_are_no_kprobes(program, recorder):
    watcher = Watcher(program, recorder)
    program.say(e="ready", t=1, tracing=False, why="kprobe_events: No such file or directory")
    watcher.expect("lph_x")
    program.say(e="kmsg", t=9, us=8, m="livepatch: 'lph_x': patching complete")
    assert watcher.await_mark("completed", "patching", Deadline.after(1)).guest_ns == 8000
    assert any(isinstance(e, Note) and "kprobe_events" in e.text for e in recorder.events)


def test_messages_are_not_counted_twice(program, recorder, watcher):
    program.say(e="kmsg", t=9, us=8, m="livepatch: 'lph_x': patching complete")
    assert not [e for e in recorder.events if isinstance(e, TransitionMarked)]


def test_moves_are_exact_or_bracketed(program, recorder, watcher):
    program.say(e="moved", t=7, pid=3, comm="a", k=0, to=1, after=7)
    program.say(e="moved", t=9, pid=4, comm="b", k=1, to=1, after=6)
    exact, swept = [e for e in recorder.events if isinstance(e, TaskMoved)]
    assert exact.not_before_ns is None
    assert swept.not_before_ns == 6
    assert swept.kthread


def test_blockers_are_named_with_their_stack(program, recorder, watcher):
    task = {"pid": 9, "k": 0, "s": "S", "comm": "lph-sleeper", "stack": ["f+0x1/0x2", "g+0x3/0x4"]}
    program.say(e="sweep", t=3, target=1, idle=0, old=1, new=50, blockers=[task])
    (sample,) = [e for e in recorder.events if isinstance(e, TasksSampled)]
    assert sample.unpatched == 1
    assert sample.blockers[0].stack[0] == "f+0x1/0x2"


def test_waiting_ends_at_the_deadline(watcher):
    with pytest.raises(DeadlineExpired, match="lph_x"):
        watcher.await_mark("completed", "patching", Deadline.after(0.05))


def test_waiting_ends_when_the_watcher_does(program, watcher):
    program.ended = True
    with pytest.raises(TransportError, match="137"):
        watcher.await_mark("completed", "patching", Deadline.after(30))


def test_a_blocker_can_be_waited_for_until_the_transition_is_over(program, watcher):
    task = {"pid": 9, "k": 0, "s": "S", "comm": "sh", "stack": []}
    program.say(e="sweep", t=3, target=1, idle=0, old=1, new=50, blockers=[task])
    with pytest.raises(DeadlineExpired, match="lph-sleeper"):
        watcher.await_blocker("lph-sleeper", Deadline.after(0.05))
    task["comm"] = "lph-sleeper"
    program.say(e="sweep", t=4, target=1, idle=0, old=1, new=50, blockers=[task])
    watcher.await_blocker("lph-sleeper", Deadline.after(1))
    watcher.expect("lph_y")
    with pytest.raises(DeadlineExpired, match="lph_y"):
        watcher.await_blocker("lph-sleeper", Deadline.after(0.05))
    program.say(e="mark", what="complete", t=13, target=1)
    watcher.await_blocker("lph-sleeper", Deadline.after(1))


@pytest.fixture
def control(program, watcher, recorder, monkeypatch):
    monkeypatch.setattr(livepatch, "_LOOK_S", 0.05)
    monkeypatch.setattr(livepatch, "_LATE_S", 0.05)
    control = livepatch.LivepatchControl(program, watcher, recorder)
    control.set_enabled("lph_x", False, Deadline.after(30))
    return control


def test_a_transition_that_is_over_is_not_waited_for_though_nobody_told(program, control):
    program.transition = b""  # the folder is gone
    with pytest.raises(TransitionOver, match="not seen to complete"):
        control.await_transition("unpatching", Deadline.after(30))


def test_a_transition_that_goes_on_is_waited_for_to_the_deadline(control):
    with pytest.raises(DeadlineExpired) as caught:
        control.await_transition("unpatching", Deadline.after(0.3))
    assert not isinstance(caught.value, TransitionOver)


def test_an_end_that_is_told_late_counts(program, control):
    told = threading.Timer(
        0.2, program.say, kwargs={"e": "mark", "what": "complete", "t": 9, "target": 0}
    )
    told.start()
    control.await_transition("unpatching", Deadline.after(30))
