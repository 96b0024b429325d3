"""The executor on a cluster: the contract, and what befalls clusters."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import executor_calls as calls
import psutil
import pytest
from dask_cluster import Cluster, cluster, eventually
from executor_contract import Listener, ParallelContract, left_behind

from lpharness.base.errors import HostError, InputError
from lpharness.executor.cluster.client import DaskExecutor, scheduler_address
from lpharness.executor.contract import Ended, Executor, How, Needs, Task, Told


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("cluster"), workers=2) as ours:
        yield ours


class TestDask(ParallelContract):
    @pytest.fixture(autouse=True)
    def _on(self, two_workers: Cluster) -> None:
        self.cluster = two_workers

    def open(self, told: Told) -> AbstractContextManager[Executor]:
        return DaskExecutor(told, self.cluster.address)

    def test_files_come_by_content_into_the_workers_own_cache(self, tmp_path: Path) -> None:
        file, program = tmp_path / "name.ko", tmp_path / "program"
        file.write_text("content" * (2 << 20))  # more than one piece
        program.write_text("#!/bin/true")
        program.chmod(0o755)
        listener = Listener()
        call = calls.Count(file, (program, file))
        with self.open(listener) as executor:
            executor.submit(self.task("x", call, tmp_path))
            content, place, runs = listener.ended("x").result
            other = tmp_path / "again" / "name.ko"
            other.parent.mkdir()
            file.rename(other)
            executor.submit(self.task("y", calls.Count(other), tmp_path))
            again = listener.ended("y").result
        assert content == again[0] == other.read_text()
        assert Path(place).name == "name.ko"
        assert str(self.cluster.folder) in place
        assert runs == [True, False]

    def test_what_nobody_can_do_waits_for_who_can(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        listener = Listener()
        with self.open(listener) as executor:
            far = Needs(arch="s390x")
            executor.submit(self.task("far", calls.Greet("far"), tmp_path, needs=far))
            eventually(lambda: "no worker can do" in caplog.text, "it is told")
            self.cluster.add_worker("mainframe", "--resources", "lph-s390x=1")
            assert listener.ended("far").where == "mainframe"

    def test_a_killed_client_leaves_nothing_running(self, tmp_path: Path) -> None:
        program = "\n".join([
            f"import sys; sys.path[:] = {sys.path!r}",
            "import executor_calls as calls, signal",
            "from pathlib import Path",
            "from lpharness.executor.cluster.client import DaskExecutor",
            "from lpharness.executor.contract import News, Task",
            "def told(event):",
            "    if isinstance(event, News): print(event.news, flush=True)",
            f"executor = DaskExecutor(told, {self.cluster.address!r})",
            f"folder = Path({str(tmp_path)!r})",
            "executor.submit(Task(key='x', call=calls.Linger(folder / 'left'), folder=folder))",
            "signal.pause()",
        ])  # fmt: skip
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as client:
            assert client.stdout is not None
            child = psutil.Process(int(client.stdout.readline()))
            os.kill(client.pid, signal.SIGKILL)
        assert left_behind(tmp_path / "left") == "in order"
        _, alive = psutil.wait_procs([child], timeout=60)
        assert alive == []

    def test_a_killed_child_is_told_as_lost(self, tmp_path: Path) -> None:
        listener = Listener()
        with self.open(listener) as executor:
            executor.submit(self.task("x", calls.Linger(tmp_path / "left"), tmp_path))
            os.kill(listener.news().news, signal.SIGKILL)
            assert listener.ended("x").how is How.LOST


def test_a_killed_worker_costs_what_it_had_in_hand_and_nothing_else(tmp_path: Path) -> None:
    listener = Listener()
    with cluster(tmp_path / "c", workers=2) as ours, DaskExecutor(listener, ours.address) as dask:
        for key in ("a", "b"):
            place = tmp_path / f"left-{key}"
            dask.submit(Task(key=key, call=calls.LingerOnce(place), folder=tmp_path / key))
        children = [listener.news().news, listener.news().news]
        nanny = psutil.Process(ours.workers[0].pid)
        (killed,) = [p for p in nanny.children(recursive=True) if p.pid in children]
        parent = killed.parent()
        assert parent is not None
        parent.kill()  # the worker itself; its nanny starts another
        (tmp_path / "left-a").touch()
        (tmp_path / "left-b").touch()
        told = listener.until_ended("a", "b")
    ended = [told[key][-1] for key in ("a", "b")]
    assert [one.how for one in ended if isinstance(one, Ended)] == [How.RETURNED] * 2
    assert not killed.is_running()


def test_a_scheduler_that_is_restarted_loses_nothing(tmp_path: Path) -> None:
    listener = Listener()
    with cluster(tmp_path / "c", workers=1) as ours, DaskExecutor(listener, ours.address) as dask:
        dask.submit(Task(key="a", call=calls.Greet("a"), folder=tmp_path / "a"))
        assert listener.ended("a").how is How.RETURNED
        call = calls.LingerOnce(tmp_path / "left")
        dask.submit(Task(key="b", call=call, folder=tmp_path / "b"))
        listener.news()
        ours.scheduler.kill()
        ours.scheduler.wait()
        (tmp_path / "left").touch()
        ours.start_scheduler()
        ours.add_worker("another")
        assert listener.ended("b").result == "through"


def test_a_scheduler_that_does_not_come_back_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lpharness.executor.cluster.client._PATIENCE_S", 3)
    listener = Listener()
    with cluster(tmp_path / "c", workers=1) as ours, DaskExecutor(listener, ours.address) as dask:
        task = Task(key="b", call=calls.Linger(tmp_path / "left"), folder=tmp_path / "b")
        dask.submit(task)
        listener.news()
        ours.scheduler.kill()
        broken = listener.broken()
        assert isinstance(broken.error, HostError)
        assert "went away" in str(broken.error)
        assert "--resume" in str(broken.error)
        with pytest.raises(HostError):
            dask.submit(task)


def test_no_scheduler_is_told_at_once() -> None:
    with pytest.raises(HostError, match="no Dask scheduler answers at tcp://127"):
        DaskExecutor(Listener(), "dask://127.0.0.1:1")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("dask://host:1234", "tcp://host:1234"),
        ("dask://host", "tcp://host:8786"),
        ("dask://[::1]:5", "tcp://[::1]:5"),
    ],
)
def test_an_address_is_read(text: str, address: str) -> None:
    assert scheduler_address(text) == address


@pytest.mark.parametrize("text", ["tcp://host:1", "dask://", "dask://host:x", "dask://h:1/x", "x"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="not a cluster"):
        scheduler_address(text)
