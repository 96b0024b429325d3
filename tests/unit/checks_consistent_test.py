"""Consistent: tasks left behind, and calls of the wrong version at the wrong time."""

import msgspec
import pytest
from checks_clauses import (
    ERROR,
    FAIL,
    PASS,
    PATCHING,
    SLEEPER,
    UNPATCHING,
    Clause,
    both,
    check,
    completed,
)
from checks_samples import (
    BOOTED,
    MODULE,
    OLD,
    assert_verdict,
    change,
    clean,
    drop,
    insert,
)

from lpharness.cases.model import Function
from lpharness.checks import Recording
from lpharness.timeline.events import (
    CallSeen,
    CallsLost,
    TaskMoved,
    TasksSampled,
    TransitionMarked,
)


def calls(*seen: tuple[float, str], pid: int = 100, comm: str = "cat") -> Recording:
    recording = drop(clean(), CallSeen)
    for at, side in seen:
        fields = {"module": MODULE, "function": OLD, "side": side, "pid": pid, "comm": comm}
        recording = insert(recording, at, CallSeen, **fields)
    return recording


def left_behind(at: float) -> Recording:
    """The last sample of the patching shows one task that is not patched."""
    fields = {"patch": MODULE, "target": 1, "idle": 0, "unpatched": 1, "patched": 49}
    return insert(clean(), at, TasksSampled, **fields, blockers=(SLEEPER,))


@check(
    [
        ("consistent", lambda: drop(clean(), TasksSampled, PATCHING), ERROR,
         "tasks at the end of patching of lph_case: no sample"),
        ("consistent", lambda: left_behind(2.45), FAIL, "lph-sleeper (90)"),
        ("consistent", lambda: left_behind(2.25), PASS, "every task reached its state"),
        ("consistent", lambda: drop(left_behind(2.25), TransitionMarked, completed), ERROR,
         "no completion"),
        # the task moved between 1.5 and 1.6
        ("consistent", lambda: calls((1.55, "old")), PASS, "every task"),
        ("consistent", lambda: calls((1.7, "old")), FAIL, "after it had moved"),
        ("consistent", lambda: calls((1.55, "new"), (1.7, "new")), PASS, "every task"),
        ("consistent", lambda: calls((1.3, "new")), FAIL, "before it moved"),
        ("consistent", lambda: calls((1.52, "new"), (1.56, "old")), FAIL,
         "after it had called the incoming one"),
        ("consistent", lambda: calls((1.2, "new"), (1.3, "old"), pid=5), FAIL,
         "after it had called the incoming one"),
        ("consistent", lambda: calls((2.5, "old"), pid=5), FAIL, "after the completion"),
        # and the other way round while unpatching, which moves it between 4.5 and 4.6
        ("consistent", lambda: calls((4.7, "new")), FAIL, "entered the outgoing cmdline_proc_show"),
        ("consistent", lambda: calls((4.3, "old")), FAIL, "before it moved"),
        ("consistent", lambda: calls((4.3, "old"), (4.4, "new"), pid=5), FAIL,
         "after it had called the incoming one"),
        ("consistent", lambda: drop(clean(), TaskMoved), PASS, "0 moves and 4 calls"),
        ("consistent", lambda: drop(drop(clean(), TaskMoved), TransitionMarked, completed), ERROR,
         "but no task's move"),
        ("consistent", lambda: drop(clean(), CallSeen), PASS, "2 moves and 0 calls"),
    ]
)  # fmt: skip
def test_consistent(clause: Clause) -> None:
    assert_verdict(clause[0], clause[1](), clause[2], clause[3])


def test_lost_calls_make_it_partial_not_wrong() -> None:
    result = assert_verdict("consistent", insert(clean(), 2, CallsLost, count=12), PASS, "agree")
    assert any("12 were lost" in evidence.seen for evidence in result.evidence)


def test_a_completion_stamped_by_printk_leaves_room_for_the_other_clock() -> None:
    late = calls((2.35, "old"), pid=5)
    assert_verdict("consistent", late, FAIL, "after the completion")
    assert_verdict("consistent", change(late, TransitionMarked, source="kmsg"), PASS, "agree")


def test_the_idle_tasks_of_two_cpus_are_two_tasks() -> None:
    recording = calls((1.3, "new"), pid=0, comm="swapper/0")
    fields = {"module": MODULE, "function": OLD, "side": "old", "pid": 0}
    two = insert(recording, 1.4, CallSeen, **fields, comm="swapper/1")
    one = insert(recording, 1.4, CallSeen, **fields, comm="swapper/0")
    assert_verdict("consistent", two, PASS, "agree")
    assert_verdict("consistent", one, FAIL, "after it had called the incoming one")


def quick() -> Recording:
    """The unpatching is over within a millisecond, before the watcher could look at any task."""
    recording = change(
        clean(), TransitionMarked, both(completed, UNPATCHING), guest_ns=BOOTED + 4_101_000_000
    )
    return drop(drop(recording, TasksSampled, UNPATCHING), TaskMoved, UNPATCHING)


def test_a_transition_may_be_over_before_anyone_looked() -> None:
    result = assert_verdict("consistent", drop(quick(), CallSeen), PASS, "every task")
    assert any("over in 1.0 ms" in evidence.seen for evidence in result.evidence)


def comes_back(model: str, *, interrupts: bool = False) -> Recording:
    """The task enters the new function, then once more the old one."""
    recording = calls((1.52, "new"), (1.56, "old"))
    function = Function(old=OLD, interrupts=interrupts)
    module = msgspec.structs.replace(recording.case.modules[0], functions=(function,))
    return msgspec.structs.replace(
        recording,
        id=msgspec.structs.replace(recording.id, model=model),
        case=msgspec.structs.replace(recording.case, modules=(module,)),
    )


@pytest.mark.parametrize("model", ["hybrid", "kgraft", "kpatch", "ksplice"])
def test_all_models_but_immediate_let_a_task_go_over_just_once(model: str) -> None:
    assert_verdict("consistent", comes_back(model), FAIL, "after it had called the incoming one")


def test_immediate_promises_no_order() -> None:
    assert_verdict("consistent", comes_back("immediate"), PASS, "agree")


def test_kgraft_orders_interrupts_by_cpu_the_others_by_task() -> None:
    assert_verdict("consistent", comes_back("kgraft", interrupts=True), PASS, "agree")
    for model in ("hybrid", "kpatch"):
        assert_verdict("consistent", comes_back(model, interrupts=True), FAIL, "after it had")


def test_nobody_enters_the_outgoing_one_after_the_completion_under_any_model() -> None:
    for model in ("immediate", "kgraft"):
        late = comes_back(model, interrupts=True)
        fields = {"module": MODULE, "function": OLD, "side": "old", "pid": 7, "comm": "cat"}
        late = insert(late, 2.5, CallSeen, **fields)
        assert_verdict("consistent", late, FAIL, "after the completion")
