"""Runs without guests: cells, plans, and an executor that answers by the book."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from checks_samples import case
from guests_command_test import IMAGE, KERNEL

from lpharness.base.closing import Closing
from lpharness.executor.contract import Began, Ended, How, News, Task, Told
from lpharness.guests.contract import GuestSpec
from lpharness.results.folder import TrialFolder
from lpharness.results.model import Trial, TrialId, Verdict
from lpharness.run.carry import Carry
from lpharness.run.cells import Cell, Wanted
from lpharness.run.conductor import Prepare
from lpharness.run.prepare import Prepared
from lpharness.run.told import StepNews
from lpharness.timeline.events import Phase
from lpharness.trial.plan import Plan
from lpharness.workloads import find

RELEASE = "6.1.0-1-cloud-amd64"


def cell(name: str = "c", *wanted: Wanted, release: str = RELEASE) -> Cell:
    return Cell(
        case=case(name=name), kernel=f"debian:{release}", release=release,
        wanted=wanted or (Wanted(workload="idle"),),
    )  # fmt: skip


def plan(name: TrialId) -> Plan:
    return Plan(
        id=name, case=case(name=name.case), spec=GuestSpec(kernel=KERNEL, image=IMAGE),
        workload=find("idle"), modules=(),
    )  # fmt: skip


def prepared(of: Cell) -> Prepared:
    return Prepared(entries=tuple(plan(of.id_of(wanted, "qemu")) for wanted in of.wanted))


def tried(task: Task, verdict: Verdict = Verdict.PASS, seconds: float = 10.0) -> Trial:
    """Write a trial's document where its task says, as a real trial would."""
    assert isinstance(task.call, Carry)
    folder = TrialFolder(task.folder)
    trial = folder.begin(task.call.id, Phase.BOOT)
    trial.verdict, trial.reason, trial.seconds = verdict, f"so it is: {verdict}", seconds
    trial.finished = True
    folder.write(trial)
    return trial


Answer = Callable[[Task], Any]
"""What comes of a task: a result, or an error that is raised or stands for how it ended."""


class ByTheBook(Closing):
    """An executor that does one task at a time, when it is asked to, and notes its name."""

    name = "by-the-book"

    def __init__(self, told: Told, answer: Answer) -> None:
        self._told, self._answer = told, answer
        self.begun: list[str] = []
        self.cancelled: list[str] = []

    def submit(self, task: Task) -> None:
        self.begun.append(task.key)
        self._told(Began(key=task.key, where="nowhere"))
        news = StepNews(text="build") if isinstance(task.call, Prepare) else Phase.BOOT
        self._told(News(key=task.key, news=news))
        answer = self._answer(task)
        if isinstance(answer, Ended):
            self._told(msgspec.structs.replace(answer, key=task.key))
        elif isinstance(answer, Exception):
            self._told(Ended(key=task.key, how=How.RAISED, error=answer))
        elif answer is not None:
            self._told(Ended(key=task.key, how=How.RETURNED, result=answer, where="nowhere"))

    def cancel(self, key: str) -> None:
        self.cancelled.append(key)
        self._told(Ended(key=key, how=How.CANCELLED))

    def close(self) -> None:
        pass


class Heard:
    """A listener that keeps what it is told, in words."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def planned(self, trials: Sequence[TrialId]) -> None:
        self.words.append(f"planned {len(trials)}")

    def preparing(self, what: str, step: StepNews | None) -> None:
        self.words.append(f"{step.text if step else 'prepared'} {what}")

    def phase(self, trial: TrialId, phase: Phase) -> None:
        self.words.append(f"{phase} {trial.case}")

    def finished(self, trial: Trial) -> None:
        self.words.append(f"{trial.verdict} {trial.id.case}")

    def again(self, trial: TrialId) -> None:
        self.words.append(f"again {trial.case}")


def in_turn(*answers: Any) -> Answer:
    """Prepare every cell; answer trials one after another."""
    left = deque(answers)

    def answer(task: Task) -> Any:
        if isinstance(task.call, Prepare):
            return prepared(task.call.cell)
        following = left.popleft()
        return tried(task, following) if isinstance(following, Verdict) else following

    return answer
