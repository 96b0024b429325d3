"""The guest's load generator, run on the host: it is an ordinary program."""

import ctypes
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psutil
import pytest

from lpharness.images.programs import compile_program

DEADLINE_S = 20
KINDS = {
    "idle": [],
    "proc-reader": ["--file", "/proc/version"],
    "syscall-hammer": ["--syscall", "39"],  # getpid
    "fork-storm": [],
    "fs-churn": ["--folder", "{tmp}"],
    "net-loopback": [],
    "sleepers": ["--park", "pause", "--pid-file", "{tmp}/pid"],
}


class Report(msgspec.Struct, forbid_unknown_fields=True):
    t: int
    worker: int
    ops: int
    errors: int
    gap: int


class Start(msgspec.Struct, forbid_unknown_fields=True):
    t: int
    workers: int


class Run:
    """A workload under way, its output in a file so that no pipe can hold it up."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path, errors: Path) -> None:
        self.process, self.output, self.errors = process, output, errors

    @property
    def start(self) -> Start:
        return msgspec.json.decode(self.output.read_bytes().splitlines()[0], type=Start)

    @property
    def reports(self) -> list[Report]:
        whole = self.output.read_bytes().rpartition(b"\n")[0].splitlines()
        return [msgspec.json.decode(line, type=Report) for line in whole[1:]]

    def last(self, worker: int) -> Report:
        return [report for report in self.reports if report.worker == worker][-1]

    def until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < end, f"{self.output.read_text()}\n{self.errors.read_text()}"
            time.sleep(0.01)

    def until_busy(self) -> None:
        self.until(lambda: {r.worker for r in self.reports if r.ops > 1} >= {0, 1})

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE_S)

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


@contextmanager
def running(tmp_path: Path, kind: str, *options: str) -> Iterator[Run]:
    words = [option.replace("{tmp}", str(tmp_path)) for option in options]
    output, errors = tmp_path / "out", tmp_path / "err"
    with output.open("wb") as out, errors.open("wb") as err:
        process = subprocess.Popen(
            [compile_program("workload"), kind, "--workers", "2", "--interval-ms", "20", *words],
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
    run = Run(process, output, errors)
    try:
        run.until(lambda: b"\n" in output.read_bytes() or process.poll() is not None)
        yield run
    finally:
        process.kill()
        process.wait()


def is_gone(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def gone(processes: list[psutil.Process]) -> bool:
    return all(is_gone(process) for process in processes)


def name_of(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.NoSuchProcess:
        return ""


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_works_reports_and_ends_well(tmp_path: Path, kind: str) -> None:
    with running(tmp_path, kind, *KINDS[kind]) as run:
        run.until_busy()
        children = run.children()
        assert run.stop() == 0, run.errors.read_text()
    assert gone(children)
    assert run.start.workers == 2
    assert [report.worker for report in run.reports[-2:]] == [0, 1]
    assert all(report.errors == 0 for report in run.reports)
    for worker in (0, 1):
        mine = [report for report in run.reports if report.worker == worker]
        assert [r.t for r in mine] == sorted(r.t for r in mine)
        assert [r.ops for r in mine] == sorted(r.ops for r in mine)
        assert all(r.gap > 0 for r in mine[:-1])
    assert run.errors.read_text() == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["err", "out"]


@pytest.fixture
def adopting() -> Iterator[None]:
    """Have orphans become our own children, zombies included."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(36, 1, 0, 0, 0) == 0  # PR_SET_CHILD_SUBREAPER
    yield
    libc.prctl(36, 0, 0, 0, 0)


@pytest.mark.usefixtures("adopting")
@pytest.mark.parametrize("kind", KINDS)
def test_it_reaps_all_its_children_itself(tmp_path: Path, kind: str) -> None:
    # Once, children wrote 0 over their own process id in the shared memory, and the parent went
    # without them.
    with running(tmp_path, kind, *KINDS[kind]) as run:
        run.until_busy()
        assert run.stop() == 0
        orphans = [name_of(child) for child in psutil.Process().children()]
    assert not [name for name in orphans if name.startswith("lph-")]


@pytest.mark.parametrize("kind", KINDS)
def test_a_signal_to_the_whole_group_is_no_error(tmp_path: Path, kind: str) -> None:
    with running(tmp_path, kind, *KINDS[kind]) as run:
        run.until_busy()
        os.killpg(run.process.pid, signal.SIGTERM)
        assert run.process.wait(DEADLINE_S) == 0, run.errors.read_text()


@pytest.mark.parametrize("kind", ["fork-storm", "net-loopback", "sleepers"])
def test_nothing_outlives_a_killed_parent(tmp_path: Path, kind: str) -> None:
    with running(tmp_path, kind, *KINDS[kind]) as run:
        run.until_busy()
        children = run.children()
        assert children
        run.process.kill()
        run.process.wait()
        run.until(lambda: gone(children))


def test_it_ends_when_nobody_listens(tmp_path: Path) -> None:
    process = subprocess.Popen([compile_program("workload"), "idle"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    children = psutil.Process(process.pid).children()
    process.stdout.close()
    process.wait(DEADLINE_S)
    _, alive = psutil.wait_procs(children, timeout=DEADLINE_S)
    assert gone(alive)


def test_a_stall_is_seen_while_it_lasts(tmp_path: Path) -> None:
    with running(tmp_path, "idle") as run:
        run.until_busy()
        victim = run.children()[0]
        victim.suspend()
        run.until(lambda: any(report.gap > 300_000_000 for report in run.reports))
        stalled = {report.worker for report in run.reports if report.gap > 300_000_000}
        victim.resume()
        before = run.last(min(stalled)).ops
        run.until(lambda: run.last(min(stalled)).ops > before)
        assert run.stop() == 0
    assert min(stalled) in (0, 1)


def test_a_gap_is_told_once(tmp_path: Path) -> None:
    with running(tmp_path, "idle") as run:
        run.until_busy()
        victim = run.children()[0]
        victim.suspend()
        run.until(lambda: any(report.gap > 500_000_000 for report in run.reports))
        worker = next(r.worker for r in run.reports if r.gap > 500_000_000)
        victim.resume()
        count = len(run.reports)
        run.until(
            lambda: any(r.gap < 500_000_000 for r in run.reports[count:] if r.worker == worker)
        )
        assert run.stop() == 0


def test_a_worker_that_dies_is_an_error(tmp_path: Path) -> None:
    with running(tmp_path, "idle") as run:
        run.until_busy()
        run.children()[0].kill()
        run.until(lambda: any(report.errors for report in run.reports))
        assert run.stop() == 1
    assert "ended with wait status 0x9" in run.errors.read_text()


def test_a_file_that_vanishes_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("there\n")
    with running(tmp_path, "proc-reader", "--file", str(file)) as run:
        run.until_busy()
        file.unlink()
        run.until(lambda: any(report.errors for report in run.reports))
        assert run.stop() == 1


def test_a_file_that_becomes_empty_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("there\n")
    with running(tmp_path, "proc-reader", "--file", str(file)) as run:
        run.until_busy()
        file.write_text("")
        run.until(lambda: any(report.errors for report in run.reports))
        assert run.stop() == 1


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with running(tmp_path, "fs-churn", "--folder", str(tmp_path)) as run:
        run.until_busy()
        for folder in list(tmp_path.glob("lph-churn-*")):
            shutil.rmtree(folder, ignore_errors=True)
        run.until(lambda: any(report.errors for report in run.reports))
        assert run.stop() == 1


def test_an_expected_failure_of_a_system_call_is_no_error(tmp_path: Path) -> None:
    # uname(NULL) is EFAULT from the start; it is then what this call does.
    with running(tmp_path, "syscall-hammer", "--syscall", "63") as run:
        run.until_busy()
        assert run.stop() == 0


def test_arguments_of_a_system_call_arrive(tmp_path: Path) -> None:
    # exit_group(3): the workers do as they are told, which nobody wants of a worker.
    compiled = compile_program("workload")
    done = subprocess.run(
        [compiled, "syscall-hammer", "--syscall", "231", "--", "3"],
        capture_output=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 3  # the very first call, made before there are workers


def sleepers_of(run: Run) -> list[psutil.Process]:
    return [child for child in run.children() if name_of(child) == "lph-sleeper"]


@pytest.mark.parametrize("park", ["futex", "nanosleep", "pause", "poll", "read", "select"])
def test_sleepers_lie_where_they_should_until_released(tmp_path: Path, park: str) -> None:
    pid_file = tmp_path / "pid"
    options = ["--park", park, "--tasks", "3", "--pid-file", str(pid_file)]
    with running(tmp_path, "sleepers", *options) as run:
        run.until_busy()
        sleepers = sleepers_of(run)
        assert len(sleepers) == 3
        run.until(lambda: all(s.status() == psutil.STATUS_SLEEPING for s in sleepers))
        os.kill(int(pid_file.read_text()), signal.SIGUSR1)
        run.until(lambda: not sleepers_of(run))
        count = len(run.reports)
        run.until(lambda: len(run.reports) > count + 2)
        assert run.stop() == 0, run.errors.read_text()


def test_a_sleeper_that_is_killed_is_an_error(tmp_path: Path) -> None:
    with running(tmp_path, "sleepers") as run:
        run.until_busy()
        sleepers_of(run)[0].kill()
        run.until(lambda: any(report.errors for report in run.reports))
        assert run.stop() == 1


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["nothing"], "no kind of work is called nothing"),
        (["idle", "--workers", "0"], "0 is not between 1 and 256"),
        (["idle", "--workers", "two"], "two is no number"),
        (["proc-reader"], "needs --file"),
        (["proc-reader", "--file", "/nowhere"], "cannot read /nowhere: No such file"),
        (["syscall-hammer"], "needs --syscall"),
        (["syscall-hammer", "--syscall", "9999"], "no system call 9999"),
        (["sleepers", "--park", "bed"], "cannot be parked in bed"),
        (["idle", "--", "1", "2", "3", "4", "5", "6", "7"], "at most 6 arguments"),
        ([], "usage: workload KIND"),
    ],
)
def test_what_cannot_be_is_refused(words: list[str], complaint: str) -> None:
    done = subprocess.run(
        [compile_program("workload"), *words],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 2
    assert complaint in done.stderr
    assert done.stdout == ""


def suite_script(folder: Path, *passing: str) -> Path:
    """Write a suite of ``one`` and ``two``: those named pass, until there is a file ``broken``."""
    script = folder / "suite.sh"
    names = " ".join(passing) or "none"
    script.write_text(
        f"""#!/bin/sh
        cd "{folder}"
        case $1 in
        list) echo one; echo two ;;
        run) echo "$2" >> ran; [ ! -e broken ] && echo " {names} " | grep -q " $2 " ;;
        end) touch ended ;;
        esac
        """
    )
    script.chmod(0o755)
    return script


def test_a_suite_leaves_out_what_fails_anyway(tmp_path: Path) -> None:
    with running(tmp_path, "suite", "--file", str(suite_script(tmp_path, "two"))) as run:
        run.until_busy()
        run.until(lambda: (tmp_path / "ran").read_text().count("two") > 2)
        assert run.stop() == 0, run.errors.read_text()
    assert (tmp_path / "ran").read_text().count("one") == 1
    assert "one fails before anything is changed: left out" in run.errors.read_text()
    assert all(report.errors == 0 for report in run.reports)
    assert (tmp_path / "ended").exists()


def test_a_test_that_fails_later_is_an_error_that_is_named(tmp_path: Path) -> None:
    with running(tmp_path, "suite", "--file", str(suite_script(tmp_path, "one", "two"))) as run:
        run.until_busy()
        (tmp_path / "broken").touch()
        run.until(lambda: run.last(0).errors > 0)
        assert run.stop() == 1
    assert "one fails, and passed before" in run.errors.read_text()
    assert run.last(1).errors == 0


def test_a_suite_of_which_nothing_passes_does_not_begin(tmp_path: Path) -> None:
    with running(tmp_path, "suite", "--file", str(suite_script(tmp_path))) as run:
        assert run.process.wait(DEADLINE_S) == 2
    assert "no test passes here" in run.errors.read_text()
