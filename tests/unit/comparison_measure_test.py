"""What a recording tells of its model: moves, looks, stops, gaps, and where old and new met."""

import pytest
from checks_samples import BOOTED, MS, change, clean, drop, insert
from comparison_samples import SLEEPER, counting, given_up, marking, stopping, tried, under

from lpharness.checks import Recording
from lpharness.comparison import measure
from lpharness.comparison.measured import Crossing, Met
from lpharness.results.model import Verdict
from lpharness.timeline.events import CpuBeats, Heartbeat, TaskMoved, TasksSampled


def crossings(recording: Recording) -> list[Crossing]:
    return list(measure(recording, Verdict.PASS, "").crossings)


def test_the_kernels_own_model_moves_task_by_task() -> None:
    patching, unpatching = crossings(clean())
    assert (patching.outcome, unpatching.outcome) == ("completed", "completed")
    assert patching.seconds == pytest.approx(1.2)
    (move,) = patching.moves
    assert (move.at_s, move.kind, move.seen) == (pytest.approx(0.5), "sleeping", False)
    assert patching.first_s == patching.last_s == pytest.approx(0.5)


def test_who_moves_by_itself_was_running() -> None:
    recording = change(clean(), TaskMoved, not_before_ns=None)
    assert [move.kind for move in crossings(recording)[0].moves] == ["running"]
    recording = change(recording, TaskMoved, pid=0, comm="swapper/0", kthread=True)
    assert [move.kind for move in crossings(recording)[0].moves] == ["idle"]


def test_a_stopped_machine_switches_at_once() -> None:
    patching, _ = crossings(stopping())
    assert (patching.looks, patching.failed, patching.moves) == (3, 2, ())
    assert patching.first_s == patching.last_s == pytest.approx(1.1)
    assert [stop.seconds for stop in patching.stops] == pytest.approx([0.001, 0.001, 0.005])
    assert patching.stops[-1].call_s == pytest.approx(0.010)


def test_immediate_switches_with_its_end() -> None:
    patching, _ = crossings(drop(under("immediate"), TaskMoved))
    assert patching.last_s == patching.seconds == pytest.approx(1.2)


def test_marked_tasks_move_each_in_its_way() -> None:
    patching, _ = crossings(marking())
    kinds = [(move.comm, move.kind) for move in patching.moves]
    assert kinds == [
        ("cat", "running"), ("swapper/1", "idle"), ("kworker", "kthread"), ("sleeper", "sleeping"),
    ]  # fmt: skip
    assert (patching.first_s, patching.last_s) == (pytest.approx(0.2), pytest.approx(0.7))


def test_giving_up_is_told_with_who_was_in_the_way() -> None:
    patching, unpatching = crossings(given_up())
    assert (patching.outcome, patching.failed, unpatching.outcome) == ("gave up", 5, "never began")
    assert patching.last_s is None
    (who,) = patching.blocked
    assert (who.comm, who.function, who.looks) == ("lph-sleeper", "cmdline_proc_show", 5)


def test_the_kernels_own_model_is_sampled_for_who_is_in_the_way() -> None:
    sample = {"patch": "lph_case", "target": 1, "idle": 0, "unpatched": 1, "patched": 59}
    recording = clean()
    for at in (1.5, 1.9):
        recording = insert(recording, at, TasksSampled, blockers=(SLEEPER,), **sample)
    (who,) = crossings(recording)[0].blocked
    assert (who.comm, who.function, who.looks) == ("lph-sleeper", "do_wait", 2)


def test_a_patched_function_on_the_stack_is_what_blocks() -> None:
    stack = ("schedule+0x5/0x10", "do_wait+0x1/0x2", "cmdline_proc_show+0x9/0x20")
    blocker = type(SLEEPER)(90, "lph-sleeper", False, "S", stack)
    sample = {"patch": "lph_case", "target": 1, "idle": 0, "unpatched": 1, "patched": 59}
    recording = insert(clean(), 1.5, TasksSampled, blockers=(blocker,), **sample)
    assert crossings(recording)[0].blocked[0].function == "cmdline_proc_show"


def test_a_gap_in_the_transition_is_not_the_noise_before() -> None:
    ended = BOOTED + 1_500 * MS
    cpus = (CpuBeats(0, 300, 90 * MS, ended), CpuBeats(1, 300, 12 * MS, ended))
    measured = measure(insert(clean(), 1.55, Heartbeat, cpus=cpus), Verdict.PASS, "")
    gaps = [measured.baseline_gap, *(crossing.gap for crossing in measured.crossings)]
    assert [gap.whole_s for gap in gaps if gap] == pytest.approx([0.015, 0.090, 0.015])
    assert [gap.own_s for gap in gaps if gap] == pytest.approx([0.015, 0.090, 0.015])


def test_no_heartbeat_is_no_gap_of_zero() -> None:
    measured = measure(drop(clean(), Heartbeat), Verdict.PASS, "")
    assert measured.baseline_gap is None
    assert measured.crossings[0].gap is None


def test_meetings_are_counted_around_each_transition() -> None:
    recording = counting(
        clean(),
        "version old\nthreads 10 0 0 0\nstack 5 0 0 0\n",
        "version new\nthreads 20 1 3 40\nstack 9 0 0 2\n",
        "version old\nthreads 60 3 4 50\nstack 12 0 0 8\n",
    )
    patching, unpatching = crossings(recording)
    assert patching.met == (
        Met(place="threads", tokens=54, ahead=3, behind=1),
        Met(place="stack", tokens=6, ahead=0, behind=0),
    )
    # The other way round: what is new now goes out.
    assert unpatching.met[0] == Met(place="threads", tokens=53, ahead=2, behind=1)


def test_a_trial_that_was_cut_short_tells_what_it_can() -> None:
    recording = tried(under("kpatch"), 0.4, blocked=1)
    events = [event for event in recording.events if event.host_ns < 1_600 * MS]
    short = type(recording)(
        id=recording.id, case=recording.case, functions=recording.functions, events=events,
        console=(),
    )  # fmt: skip
    patching, unpatching = crossings(short)
    assert (patching.outcome, unpatching.outcome) == ("not over", "never began")
    assert (patching.seconds, patching.met) == (None, ())


def test_a_move_that_was_seen_and_looked_at_is_one_move() -> None:
    when = BOOTED + 1_400 * MS
    fields = {"patch": "lph_case", "pid": 100, "comm": "cat", "to": 1, "kthread": False}
    recording = insert(clean(), 1.65, TaskMoved, guest_ns=when, **fields)
    (move,) = crossings(recording)[0].moves
    assert (move.at_s, move.kind, move.seen) == (pytest.approx(0.3), "running", True)
