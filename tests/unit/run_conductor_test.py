"""How a run is conducted: what comes next, what is tried again, what is written down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from run_support import ByTheBook, Heard, cell, in_turn, prepared

from lpharness.base.errors import HostError, InputError
from lpharness.executor.contract import Ended, How, Task
from lpharness.results.flaky import counting, flaky
from lpharness.results.folder import RunFolder
from lpharness.results.model import Verdict
from lpharness.run.attempts import FILE_NAME, read_attempts
from lpharness.run.cells import Cell, Wanted
from lpharness.run.conductor import Conductor, Prepare
from lpharness.run.layout import typed
from lpharness.run.prepare import Prepared, Refused
from lpharness.run.request import Settings
from lpharness.run.verdicts import exit_status

PASS, FAIL, ERROR, SKIP = Verdict.PASS, Verdict.FAIL, Verdict.ERROR, Verdict.SKIP
LOST = Ended(key="", how=How.LOST, error=HostError("the worker was ended by SIGKILL"))


class Played:
    """A run that was conducted, and what it left."""

    def __init__(self, folder: Path, cells: list[Cell], answer: Any, retries: int = 1) -> None:
        self.path = folder / "run"
        self.heard = Heard()
        conductor = Conductor(
            Settings(), lambda: RunFolder.create(self.path), self.heard, retries=retries
        )
        self.executor = ByTheBook(conductor.told, answer)
        try:
            conductor.run(typed(Settings(), cells), self.executor, self.executor)
        finally:
            if conductor.folder:
                conductor.folder.close()
        self.attempts = conductor.attempts
        self.trials = RunFolder(self.path).trials()

    @property
    def verdicts(self) -> list[tuple[str, Verdict]]:
        return [(attempt.id.slug.partition("--")[0], attempt.verdict) for attempt in self.attempts]


def refusing(*which: str, error: Exception) -> Any:
    """Refuse to prepare some cells; whatever else is tried passes."""
    usual = in_turn(*[PASS] * 9)

    def answer(task: Task) -> Any:
        if isinstance(task.call, Prepare) and task.call.cell.case.name in which:
            return error
        return usual(task)

    return answer


def test_trials_begin_as_soon_as_their_cell_is_prepared(tmp_path: Path) -> None:
    played = Played(tmp_path, [cell("a"), cell("b")], in_turn(PASS, FAIL))
    assert [key.partition("--")[0] for key in played.executor.begun] == [
        "prepare 0", "a", "prepare 1", "b",
    ]  # fmt: skip
    assert played.verdicts == [("a", PASS), ("b", FAIL)]
    assert exit_status(played.attempts) == 1
    assert played.heard.words[:5] == [
        "planned 2",
        "build a for 6.1.0-1-cloud-amd64",
        "prepared a for 6.1.0-1-cloud-amd64",
        "boot a",
        "pass a",
    ]
    assert list(read_attempts(played.path)) == played.attempts


def test_an_error_is_tried_again_and_both_results_are_kept(tmp_path: Path) -> None:
    played = Played(tmp_path, [cell()], in_turn(ERROR, PASS))
    assert {t.id.slug: t.verdict for t in played.trials} == {
        "c--6.1.0-1-cloud-amd64--idle": ERROR,
        "c--6.1.0-1-cloud-amd64--idle--again1": PASS,
    }
    assert [attempt.last for attempt in played.attempts] == [False, True]
    assert [(f.id.attempt, f.words) for f in flaky(played.trials)] == [(0, "error, pass")]
    assert [one.verdict for one in counting(played.trials)] == [PASS]
    assert exit_status(played.trials) == 0
    assert "again c" in played.heard.words


def test_the_second_attempt_boots_a_guest_for_itself(tmp_path: Path) -> None:
    seen: list[bool] = []
    usual = in_turn(ERROR, PASS)

    def answer(task: Task) -> Any:
        if not isinstance(task.call, Prepare):
            seen.append(task.call.entry.fresh)
        return usual(task)

    Played(tmp_path, [cell()], answer)
    assert seen == [False, True]


@pytest.mark.parametrize("verdict", [PASS, FAIL, Verdict.XFAIL, Verdict.XPASS])
def test_no_other_verdict_is_tried_again(verdict: Verdict, tmp_path: Path) -> None:
    assert Played(tmp_path, [cell()], in_turn(verdict)).verdicts == [("c", verdict)]


def test_two_errors_are_an_error_and_not_flaky(tmp_path: Path) -> None:
    played = Played(tmp_path, [cell()], in_turn(ERROR, ERROR))
    assert flaky(played.trials) == []
    assert exit_status(played.attempts) == 3


def test_repeats_that_differ_are_flaky(tmp_path: Path) -> None:
    repeats = [Wanted(workload="idle", repeat=number) for number in range(3)]
    played = Played(tmp_path, [cell("c", *repeats)], in_turn(PASS, FAIL, PASS))
    assert [f.words for f in flaky(played.attempts)] == ["pass, fail, pass"]


def test_each_trial_of_a_cell_is_told_of_and_written_down_before_the_next(tmp_path: Path) -> None:
    repeats = [Wanted(workload="idle", repeat=number) for number in range(3)]
    played = Played(tmp_path, [cell("c", *repeats)], in_turn(PASS, ERROR, PASS, PASS))
    words = ["boot c", "pass c", "boot c", "error c", "again c", "boot c", "pass c"]
    assert played.heard.words[3:10] == words


def test_a_worker_that_dies_costs_a_trial_and_not_the_run(tmp_path: Path) -> None:
    played = Played(tmp_path, [cell("a"), cell("b")], in_turn(LOST, PASS, PASS))
    assert played.verdicts == [("a", ERROR), ("a", PASS), ("b", PASS)]
    assert "ended by SIGKILL" in played.attempts[0].reason
    lost = next(trial for trial in played.trials if trial.verdict is ERROR)
    assert not lost.finished


def test_a_harness_that_breaks_is_an_error(tmp_path: Path) -> None:
    played = Played(tmp_path, [cell()], in_turn(ZeroDivisionError("oh"), PASS), retries=0)
    assert played.attempts[0].reason.startswith("harness: the harness broke: ZeroDivisionError: oh")


def test_a_full_disk_is_no_bug_of_the_harness(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    full = OSError(28, "No space left on device")
    played = Played(tmp_path, [cell()], in_turn(full, PASS), retries=0)
    assert played.attempts[0].reason.startswith("harness: [Errno 28] No space left on device")
    assert not caplog.records


def test_a_trial_beyond_its_time_out_is_given_up(tmp_path: Path) -> None:
    wanted = Wanted(workload="idle", timeout_s=0.001)
    played = Played(tmp_path, [cell("c", wanted)], in_turn(None, PASS))
    assert played.executor.cancelled == ["c--6.1.0-1-cloud-amd64--idle"]
    assert played.verdicts == [("c", ERROR), ("c", PASS)]
    assert "no end within its time-out of 0.001 s" in played.attempts[0].reason


# --- what cannot be prepared ------------------------------------------------------------------


def test_a_cell_that_cannot_be_prepared_is_an_error_among_others(tmp_path: Path) -> None:
    answer = refusing("a", error=HostError("the archive is away"))
    played = Played(tmp_path, [cell("a"), cell("b")], answer)
    assert played.verdicts == [("a", ERROR), ("b", PASS)]
    assert played.attempts[0].reason == "not prepared: the archive is away"
    assert exit_status(played.attempts) == 3


def test_a_run_of_nothing_else_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="mend me"):
        Played(tmp_path, [cell("a"), cell("b")], refusing("a", "b", error=InputError("mend me")))
    assert not (tmp_path / "run").exists()


def test_a_bug_in_the_harness_is_not_made_a_result(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        Played(tmp_path, [cell()], refusing("c", error=ZeroDivisionError("oh")))


def test_what_is_skipped_makes_no_run_of_bad_input_worth_it(tmp_path: Path) -> None:
    def answer(task: Task) -> Any:
        assert isinstance(task.call, Prepare)
        if task.call.cell.case.name == "bad":
            return InputError("mend me")
        found = prepared(task.call.cell)
        refused = [
            Refused(id=entry.id, kernel="debian:6.1", verdict=SKIP, reason="no")
            for entry in found.entries
        ]
        return Prepared(entries=tuple(refused))

    with pytest.raises(InputError, match="mend me"):
        Played(tmp_path, [cell("skipped"), cell("bad")], answer)
    assert Played(tmp_path, [cell("skipped")], answer).verdicts == [("skipped", SKIP)]


def test_a_line_that_was_cut_short_is_passed_over(tmp_path: Path) -> None:
    played = Played(tmp_path, [cell("a"), cell("b")], in_turn(PASS, PASS))
    path = played.path / FILE_NAME
    path.write_bytes(path.read_bytes()[:-20])
    assert [attempt.id.case for attempt in read_attempts(played.path)] == ["a"]
    assert list(read_attempts(tmp_path / "nowhere")) == []
