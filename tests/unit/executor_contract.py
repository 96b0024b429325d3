"""What every executor must do. A subclass says how one is opened."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from contextlib import AbstractContextManager
from pathlib import Path
from queue import SimpleQueue

import executor_calls as calls
import pytest

from lpharness.base.deadline import Deadline
from lpharness.base.errors import InputError
from lpharness.executor.contract import (
    Began,
    Broken,
    Call,
    Ended,
    Event,
    Executor,
    How,
    Needs,
    News,
    Task,
    Told,
)

PATIENCE_S = 120.0
"""So long nothing at all may be told; no test depends on the host's speed."""


def left_behind(path: Path) -> str:
    """Return what a file says once it is there: another machine may take a moment."""
    deadline = Deadline.after(PATIENCE_S)
    while not path.exists() or not path.read_text():
        deadline.check(f"{path.name} is not written")
    return path.read_text()


class Listener:
    """Keeps what is told."""

    def __init__(self) -> None:
        self.events: SimpleQueue[Event] = SimpleQueue()

    def __call__(self, event: Event) -> None:
        self.events.put(event)

    def until_ended(self, *keys: str) -> dict[str, list[Event]]:
        """Return what is told, by key, until all of ``keys`` have ended."""
        told: dict[str, list[Event]] = defaultdict(list)
        missing = set(keys)
        while missing:
            event = self.events.get(timeout=PATIENCE_S)
            told[event.key].append(event)
            if isinstance(event, Ended):
                missing.discard(event.key)
        return told

    def ended(self, key: str) -> Ended:
        """Return how a task ended."""
        last = self.until_ended(key)[key][-1]
        assert isinstance(last, Ended)
        return last

    def broken(self) -> Broken:
        """Return what says that the executor is at its end."""
        while True:
            event = self.events.get(timeout=PATIENCE_S)
            if isinstance(event, Broken):
                return event

    def news(self) -> News:
        """Return the next news."""
        while True:
            event = self.events.get(timeout=PATIENCE_S)
            if isinstance(event, News):
                return event


class ExecutorContract(ABC):
    """Inherited by the tests of each executor."""

    @abstractmethod
    def open(self, told: Told) -> AbstractContextManager[Executor]:
        """Return an executor that tells ``told``; room for two tasks of one CPU."""

    def task(self, key: str, call: Call, folder: Path, **more: object) -> Task:
        return Task(key=key, call=call, folder=folder / key, **more)  # type: ignore[arg-type]

    def test_each_task_is_told_of_in_order_and_leaves_its_files(self, tmp_path: Path) -> None:
        listener = Listener()
        names = ["a", "b", "c", "d", "e"]
        with self.open(listener) as executor:
            for name in names:
                executor.submit(self.task(name, calls.Greet(name), tmp_path))
            told = listener.until_ended(*names)
        for name in names:
            began, first, second, ended = told[name]
            assert isinstance(began, Began)
            assert began.where
            assert [first, second] == [
                News(key=name, news=f"greeting {name}"),
                News(key=name, news=f"greeted {name}"),
            ]
            assert isinstance(ended, Ended)
            assert (ended.how, ended.result, ended.error) == (How.RETURNED, name, None)
            assert (tmp_path / name / "deeper" / "greeting").read_text() == f"hello {name}"

    def test_an_error_is_told_as_it_was_raised(self, tmp_path: Path) -> None:
        listener = Listener()
        with self.open(listener) as executor:
            executor.submit(self.task("x", calls.Fail("hint"), tmp_path))
            ended = listener.ended("x")
        assert ended.how is How.RAISED
        assert isinstance(ended.error, InputError)
        assert (ended.error.hint, ended.error.kind) == ("mend it", "input")

    @pytest.mark.parametrize(("what", "says"), [("odd", "the guest is gone"), ("bug", "by zero")])
    def test_any_error_is_told(self, what: str, says: str, tmp_path: Path) -> None:
        listener = Listener()
        with self.open(listener) as executor:
            executor.submit(self.task("x", calls.Fail(what), tmp_path))
            executor.submit(self.task("y", calls.Greet("y"), tmp_path))
            told = listener.until_ended("x", "y")
        ended = told["x"][-1]
        assert isinstance(ended, Ended)
        assert ended.how is How.RAISED
        assert says in str(ended.error)

    def test_a_task_too_big_for_all_room_is_done_alone(self, tmp_path: Path) -> None:
        listener = Listener()
        big = Needs(cpus=1000, memory_mb=1 << 40)
        with self.open(listener) as executor:
            executor.submit(self.task("big", calls.Greet("big"), tmp_path, needs=big))
            executor.submit(self.task("next", calls.Greet("next"), tmp_path))
            listener.until_ended("big", "next")

    def test_what_is_through_is_not_cancelled(self, tmp_path: Path) -> None:
        listener = Listener()
        with self.open(listener) as executor:
            executor.submit(self.task("x", calls.Greet("x"), tmp_path))
            assert listener.ended("x").how is How.RETURNED
            executor.cancel("x")
            executor.cancel("never there")
            executor.submit(self.task("y", calls.Greet("y"), tmp_path))
            assert listener.ended("y").how is How.RETURNED

    def test_closing_twice_is_closing_once(self) -> None:
        with self.open(Listener()) as executor:
            executor.close()


class ParallelContract(ExecutorContract):
    """What executors must do besides that have several tasks under way at a time."""

    def test_two_are_done_at_a_time(self, tmp_path: Path) -> None:
        listener = Listener()
        with self.open(listener) as executor:
            for key in ("a", "b"):
                executor.submit(self.task(key, calls.Meet(tmp_path / "meeting", 2), tmp_path))
            told = listener.until_ended("a", "b")
        first, second = told["a"][-1], told["b"][-1]
        assert isinstance(first, Ended)
        assert isinstance(second, Ended)
        assert first.result != second.result

    def test_what_cannot_be_sent_is_told_so(self, tmp_path: Path) -> None:
        listener = Listener()
        with self.open(listener) as executor:
            executor.submit(self.task("x", calls.Unsendable(), tmp_path))
            ended = listener.ended("x")
        assert ended.how is How.RAISED
        assert "no way to send function" in str(ended.error)

    def test_what_is_cancelled_is_ended_in_order_and_others_go_on(self, tmp_path: Path) -> None:
        listener = Listener()
        with self.open(listener) as executor:
            executor.submit(self.task("x", calls.Linger(tmp_path / "left"), tmp_path))
            assert listener.news().key == "x"
            executor.submit(self.task("y", calls.Greet("y"), tmp_path))
            executor.cancel("x")
            told = listener.until_ended("x", "y")
        ended = told["x"][-1]
        assert isinstance(ended, Ended)
        assert ended.how is How.CANCELLED
        assert left_behind(tmp_path / "left") == "in order"

    def test_what_has_not_begun_is_cancelled_at_once(self, tmp_path: Path) -> None:
        listener = Listener()
        with self.open(listener) as executor:
            for key in ("a", "b"):  # these take all the room there is
                executor.submit(self.task(key, calls.Linger(tmp_path / f"left-{key}"), tmp_path))
            listener.news()
            listener.news()
            executor.submit(self.task("c", calls.Greet("c"), tmp_path))
            executor.cancel("c")
            assert listener.ended("c").how is How.CANCELLED
        assert not (tmp_path / "c").exists()

    def test_closing_ends_what_is_under_way(self, tmp_path: Path) -> None:
        listener = Listener()
        with self.open(listener) as executor:
            executor.submit(self.task("x", calls.Linger(tmp_path / "left"), tmp_path))
            listener.news()
        assert left_behind(tmp_path / "left") == "in order"
