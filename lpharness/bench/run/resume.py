"""How soon a run with very many results goes on, and what memory it and its reports take."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from lpharness.base.deadline import Deadline
from lpharness.bench.figures import Figure
from lpharness.results.folder import RunFolder, TrialFolder
from lpharness.results.model import TrialId
from lpharness.run.attempts import FILE_NAME, Attempt
from lpharness.run.layout import Layout, keep

_LONGEST_S = 3600.0


def measure_resume(layout: Layout, run: Path, example: TrialFolder, results: int) -> list[Figure]:
    """Measure ``lpharness run --resume`` in a folder with one trial to go.

    Args:
        layout: of a run of one cell.
        run: a new folder.
        example: a trial of that cell; the results are it, told again under other names.
        results: so many.
    """
    last = _fill(run, example, layout, results)
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "lpharness.cli", "run", "--resume", str(run)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    begun = run / "trials" / last.slug / "trial.json"
    deadline = Deadline.after(_LONGEST_S)
    while not begun.exists() and process.poll() is None:
        deadline.check("the resumed run's first trial")
    start_s = time.monotonic() - began
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    ended_s = time.monotonic() - began
    return [
        Figure(name="start of a resumed run", unit="s", samples=[start_s], bound=2.0),
        Figure(name=f"memory with {results} results", unit="MiB", samples=[usage.ru_maxrss / 1024]),
        Figure(name="that one trial, and all reports", unit="s", samples=[ended_s - start_s]),
    ]


def _fill(run: Path, example: TrialFolder, layout: Layout, results: int) -> TrialId:
    """Fill a run's folder as if all but one of its trials were through; return that one."""
    trial = example.load()
    cell = layout.cells[0]
    wanted = [msgspec.structs.replace(cell.wanted[0], repeat=n) for n in range(results + 1)]
    whole = msgspec.structs.replace(cell, wanted=tuple(wanted))
    order = tuple(whole.id_of(one, layout.settings.backend) for one in wanted)
    with RunFolder.create(run) as folder, (run / FILE_NAME).open("wb") as log:
        keep(msgspec.structs.replace(layout, cells=(whole,), order=order), run)
        for name in order[:-1]:
            trial.id = name
            place = folder.trial(name).path
            place.mkdir()
            for file in example.path.iterdir():
                if file.name != "trial.json":
                    os.link(file, place / file.name)
            (place / "trial.json").write_bytes(msgspec.json.encode(trial))
            attempt = Attempt(id=name, verdict=trial.verdict, seconds=trial.seconds)
            log.write(msgspec.json.encode(attempt) + b"\n")
    return order[-1]
