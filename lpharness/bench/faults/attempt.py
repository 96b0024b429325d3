"""Planting one fault: the very command that a user would type, and what it came to."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec

from lpharness.base.deadline import Deadline
from lpharness.base.errors import LpharnessError
from lpharness.bench.faults.model import BUILD, COMMAND, Caught, Fault, Outcome
from lpharness.bench.faults.plants import PLANTS
from lpharness.bench.faults.scene import Planting, Scene, Unavailable
from lpharness.results.folder import RunFolder
from lpharness.results.model import CheckResult, Trial, Verdict

_GOING_S = 10.0
_STATUS = {2: Verdict.ERROR, 3: Verdict.ERROR}
"""What a command without a trial says by its exit status."""


def attempt(fault: Fault) -> Outcome:
    """Plant a fault, run the command, and see who caught it."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="lpharness-fault-") as folder:
        scene = Scene(fault, Path(folder))
        try:
            status = _play(scene)
            outcome = _came_to(scene, status)
        except Unavailable as why:
            outcome = _outcome(fault, Caught.SKIPPED, None, str(why))
        except LpharnessError as error:
            outcome = _outcome(fault, Caught.WRONG, None, f"{error}\n{scene.stderr}".strip())
        finally:
            left = tuple(_left_behind(scene))
            scene.kill()
    if left and outcome.caught is not Caught.SKIPPED:
        outcome = _outcome(fault, Caught.WRONG, outcome.verdict, f"left behind: {', '.join(left)}")
    seconds = round(time.monotonic() - began, 1)
    return msgspec.structs.replace(outcome, seconds=seconds, left=left)


def _play(scene: Scene) -> int:
    """Run the command with what is done meanwhile; return its exit status."""
    plant = PLANTS[scene.fault.plant](scene) if scene.fault.plant else _nothing()
    with closing(plant):
        next(plant, None)
        scene.start()
        next(plant, None)
        status = scene.finish()
        next(plant, None)
    return status


def _nothing() -> Planting:
    yield


def _came_to(scene: Scene, status: int) -> Outcome:
    fault = scene.fault
    if "Traceback" in scene.stderr:
        return _outcome(fault, Caught.WRONG, None, f"a traceback: {scene.stderr}")
    trials = RunFolder.open(scene.results).trials() if scene.results.is_dir() else []
    if not trials:
        return _refused(fault, status, scene.stderr.strip())
    if len(trials) > 1:
        return _outcome(fault, Caught.WRONG, None, f"{len(trials)} trials, where one was asked for")
    return _judged(fault, trials[0], scene.stderr)


def _refused(fault: Fault, status: int, said: str) -> Outcome:
    """Return what a command came to that never had a trial."""
    if fault.kernel.startswith("built:") and "kernels build" in said:
        return _outcome(fault, Caught.SKIPPED, None, said)
    verdict = _STATUS.get(status)
    if verdict != fault.verdict:
        return _outcome(fault, Caught.WRONG, verdict, f"exit status {status}: {said}")
    if fault.check != COMMAND:
        return _outcome(fault, Caught.ELSEWHERE, verdict, f"by the command: {said}")
    return _evidence(fault, verdict, said, said)


def _judged(fault: Fault, trial: Trial, said: str = "") -> Outcome:
    if trial.verdict is Verdict.SKIP:
        return _outcome(fault, Caught.SKIPPED, trial.verdict, trial.reason)
    if trial.verdict is not fault.verdict:
        caught = Caught.MISSED if trial.verdict is Verdict.PASS else Caught.WRONG
        return _outcome(fault, caught, trial.verdict, trial.reason)
    shown = _shown(fault, trial, said)
    if shown is None:
        return _outcome(fault, Caught.ELSEWHERE, trial.verdict, trial.reason)
    return _evidence(fault, trial.verdict, shown, trial.reason)


def _shown(fault: Fault, trial: Trial, said: str) -> str | None:
    """Return all that the check in question shows; ``None`` if it did not come to the verdict."""
    if fault.check == BUILD:
        build = trial.build
        if build is None or build.verdict is not fault.verdict:
            return None
        lines = [build.kind, build.reason, build.detail, trial.reason]
        return "\n".join([*lines, *(line for check in trial.checks for line in _lines(check))])
    for check in trial.checks:
        if check.check == fault.check and check.verdict is fault.verdict:
            return "\n".join([trial.reason, *_lines(check)])
    if fault.check == "harness" and not trial.finished:
        return f"{trial.reason}\n{said}"  # the harness never came to write its check down
    return None


def _lines(check: CheckResult) -> Iterator[str]:
    yield check.summary
    for piece in check.evidence:
        yield f"{piece.what}: {piece.seen}"


def _evidence(fault: Fault, verdict: Verdict, shown: str, reason: str) -> Outcome:
    lacking = [text for text in fault.evidence if not re.search(text, shown, re.MULTILINE)]
    if lacking:
        why = f"not shown: {' and '.join(map(repr, lacking))}; but: {shown}"
        return _outcome(fault, Caught.ELSEWHERE, verdict, why)
    return _outcome(fault, Caught.CAUGHT, verdict, reason)


def _left_behind(scene: Scene) -> Iterator[str]:
    """Yield what the command leaves; processes get a moment to go."""
    deadline = Deadline.after(_GOING_S)
    while (processes := scene.processes()) and not deadline.expired:
        time.sleep(0.05)
    for process in processes:
        yield f"process {process.pid}"
    for path in scene.temporary.iterdir():
        yield f"temporary {path.name}"
    for path in scene.folder.rglob("*"):
        if path.is_socket():
            yield f"socket {path.name}"


def _outcome(fault: Fault, caught: Caught, verdict: Verdict | None, reason: str) -> Outcome:
    return Outcome(fault=fault.name, caught=caught, verdict=verdict, reason=reason)
