"""The executors of this machine: inline, and processes."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import executor_calls as calls
import psutil
import pytest
from executor_contract import ExecutorContract, Listener, ParallelContract

from lpharness.base.errors import HostError
from lpharness.executor.capacity import Capacity
from lpharness.executor.contract import Ended, Executor, How, Needs, Task, Told
from lpharness.executor.inline import InlineExecutor
from lpharness.executor.local import LocalExecutor


def two(tasks: float = math.inf, memory_mb: float = 1000.0) -> Capacity:
    return Capacity(cpus=2, memory_mb=memory_mb, tasks=tasks)


class TestInline(ExecutorContract):
    def open(self, told: Told) -> AbstractContextManager[Executor]:
        return InlineExecutor(told)


class TestLocal(ParallelContract):
    def open(self, told: Told) -> AbstractContextManager[Executor]:
        return LocalExecutor(told, two())

    def test_a_killed_child_costs_its_task_and_nothing_else(self, tmp_path: Path) -> None:
        listener = Listener()
        with self.open(listener) as executor:
            executor.submit(self.task("x", calls.DieOnce(tmp_path / "mark"), tmp_path))
            executor.submit(self.task("y", calls.Greet("y"), tmp_path))
            told = listener.until_ended("x", "y")
            executor.submit(self.task("x", calls.DieOnce(tmp_path / "mark"), tmp_path))
            again = listener.ended("x")
        ended = told["x"][-1]
        assert isinstance(ended, Ended)
        assert ended.how is How.LOST
        assert "SIGKILL" in str(ended.error)
        assert again.result == "survived"

    def test_the_least_rank_begins_first(self, tmp_path: Path) -> None:
        listener = Listener()
        with LocalExecutor(listener, two(tasks=1)) as executor:
            executor.submit(self.task("wait", calls.Linger(tmp_path / "left"), tmp_path))
            listener.news()
            for name, rank in (("c", (3,)), ("a", (1,)), ("b", (1, 1))):
                note = calls.Note(tmp_path / "order", name)
                executor.submit(self.task(name, note, tmp_path, rank=rank))
            executor.cancel("wait")
            listener.until_ended("a", "b", "c")
        assert (tmp_path / "order").read_text().split() == ["a", "b", "c"]

    def test_a_child_does_many_tasks(self, tmp_path: Path) -> None:
        listener = Listener()
        with LocalExecutor(listener, two(tasks=1)) as executor:
            found = []
            for key in ("a", "b", "c"):
                executor.submit(self.task(key, calls.Meet(tmp_path / key, 1), tmp_path))
                found.append(listener.ended(key).result)
        assert len(set(found)) == 1

    def test_nothing_is_submitted_to_who_is_closed(self, tmp_path: Path) -> None:
        with self.open(Listener()) as executor:
            executor.close()
            with pytest.raises(HostError, match="has ended"):
                executor.submit(self.task("x", calls.Greet("x"), tmp_path))


def test_children_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    program = (
        f"import sys; sys.path[:] = {sys.path!r}\n"
        "import executor_calls as calls\n"
        "from pathlib import Path\n"
        "from lpharness.executor.contract import News, Task\n"
        "from lpharness.executor.local import LocalExecutor\n"
        "def told(event):\n"
        "    if isinstance(event, News): print(event.news, flush=True)\n"
        "executor = LocalExecutor(told)\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "executor.submit(Task(key='x', call=calls.Linger(folder / 'left'), folder=folder))\n"
        "import signal; signal.pause()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        os.kill(parent.pid, signal.SIGKILL)
        _, alive = psutil.wait_procs([child], timeout=60)
    assert alive == []


# --- how much room there is ----------------------------------------------------------------


def test_cpus_memory_and_number_bound_what_is_under_way() -> None:
    one = Needs(cpus=1, memory_mb=400)
    capacity = two()
    assert [capacity.take(one) for _ in range(3)] == [True, True, False]
    capacity.give_back(one)
    assert not capacity.take(Needs(cpus=1, memory_mb=601))
    assert capacity.take(Needs(cpus=0.5, memory_mb=600))
    few = two(tasks=1)
    assert [few.take(Needs(cpus=0)) for _ in range(2)] == [True, False]


def test_this_machine_has_room() -> None:
    machine = Capacity.of_this_machine()
    assert 1 <= machine.cpus <= (os.cpu_count() or 1)
    assert 0 < machine.memory_mb < psutil.virtual_memory().total / (1 << 20)
    assert Capacity.of_this_machine(3).tasks == 3


def test_a_task_needs_a_cpu_unless_it_says_otherwise(tmp_path: Path) -> None:
    assert Task(key="x", call=calls.Greet("x"), folder=tmp_path).needs == Needs(cpus=1)
