from results_samples import passing, stalled

from lpharness.results.figures import figures
from lpharness.results.tasks import task_pictures
from lpharness.timeline.events import Blocker, Event, TasksSampled, TransitionMarked

S = 1_000_000_000


def _mark(at: float, mark: str, direction: str = "patching") -> Event:
    return TransitionMarked(
        host_ns=0,
        guest_ns=int(at * S),
        patch="p",
        mark=mark,
        direction=direction,
        source="tracing",
    )


def _sample(at: float, unpatched: int, patched: int, idle: int = 0, held: str = "") -> Event:
    blockers = (
        Blocker(pid=7, comm=held, kthread=False, state="S", stack=(f"{held}+0x1/0x2",)),
    ) * bool(held)
    return TasksSampled(
        host_ns=0,
        guest_ns=int(at * S),
        patch="p",
        target=1,
        idle=idle,
        unpatched=unpatched,
        patched=patched,
        blockers=blockers,
    )


def _pictures(*events: Event) -> list:  # type: ignore[type-arg]
    return task_pictures(events, figures(events))


def test_steps_follow_the_samples_and_end_with_the_transition() -> None:
    (picture,) = _pictures(
        _mark(1.0, "began"), _sample(1.0, 4, 0), _sample(1.5, 1, 3), _mark(2.0, "completed")
    )
    assert picture.patched == "M0,100V100.0H0.0V100.0H500.0V25.0H500.0V25.0H1000V0V100Z"
    assert picture.tasks == 4
    assert "in the last, 1 of 4 tasks had not moved" in picture.alt


def test_a_sample_from_just_before_the_kernels_mark_counts() -> None:
    (picture,) = _pictures(
        _mark(1.0, "began"), _sample(0.97, 3, 1), _sample(1.5, 1, 3), _mark(2.0, "completed")
    )
    assert picture.patched.startswith("M0,100V75.0")


def test_a_transition_of_milliseconds_has_no_picture_made_up_for_it() -> None:
    (picture,) = _pictures(
        _mark(1.0, "began"), _sample(0.99, 0, 1, idle=61), _mark(1.035, "completed")
    )
    assert picture.patched == ""
    assert picture.result == "35 ms"


def test_tasks_that_all_moved_long_before_the_end_are_explained() -> None:
    (picture,) = _pictures(
        _mark(1.0, "began"), _sample(1.01, 0, 62), _sample(1.4, 0, 62), _mark(2.6, "completed")
    )
    assert "idle tasks" in picture.note


def test_blockers_are_told_once_with_their_last_stack() -> None:
    (picture,) = _pictures(
        _mark(1.0, "began"),
        _sample(1.1, 4, 0, held="sleeper"),
        _sample(1.6, 1, 3),
        _sample(1.9, 1, 3, held="sleeper"),
    )
    (held,) = picture.blockers
    assert (held.comm, held.stack, picture.open) == ("sleeper", ("sleeper+0x1/0x2",), True)
    assert (round(held.first_s, 3), round(held.last_s, 3)) == (0.1, 0.9)
    assert picture.result == "not completed"


def test_the_samples_have_one_picture_for_each_transition() -> None:
    assert [p.direction for p in task_pictures(passing()[1], figures(passing()[1]))] == [
        "patching",
        "unpatching",
    ]
    first, second = task_pictures(stalled()[1], figures(stalled()[1]))
    assert (first.result, first.blockers[0].comm) == ("reversed", "lph-sleeper")
    assert (second.result, second.patched) == ("500 ms", "")
