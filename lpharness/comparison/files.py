"""What a comparison leaves beside the run: JSON, Markdown, and the raw samples for other tools."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from lpharness.comparison.courses import Band
from lpharness.comparison.drawing import Picture
from lpharness.comparison.held.rows import Row
from lpharness.comparison.measured import Crossing, Gap, Measured
from lpharness.comparison.page import page
from lpharness.comparison.report import Report
from lpharness.comparison.standing import overlaps
from lpharness.comparison.summary import Spread, spread
from lpharness.comparison.tables import markdown
from lpharness.results.files import write_atomically, written_aside
from lpharness.results.pdf import pdf_of, why_not
from lpharness.results.text import one_line

Rows = list[dict[str, Any]]


def write(report: Report, folder: Path) -> dict[str, Path]:
    """Write the tables as a page, as Markdown and as JSON, the pictures and the samples.

    Samples are CSV, and Parquet beside it where pyarrow is installed; pictures are SVG, and PDF
    beside it where CairoSVG is. Returns the paths by name.

    Raises:
        HostError: no space left, or the folder cannot be written.
    """
    made, drawn = report.tables(), report.pictures()
    paths = {
        "html": folder / "comparison.html",
        "markdown": folder / "comparison.md",
        "json": folder / "comparison.json",
    }
    write_atomically(paths["html"], page(report.comparison, made, drawn, report.reasons()))
    write_atomically(paths["markdown"], "\n".join([*map(markdown, made), *_told(report)]))
    encoded = msgspec.json.encode(report.document())
    write_atomically(paths["json"], msgspec.json.format(encoded, indent=1) + b"\n")
    if drawn:
        paths["pictures"] = folder / "pictures"
        _write_pictures(drawn, paths["pictures"])
    for name, rows in (samples(report.comparison.trials) | further(report)).items():
        if rows:
            paths[name] = folder / f"{name}.csv"
            write_atomically(paths[name], _csv(rows).encode())
            if find_spec("pyarrow") is not None:
                _write_parquet(rows, folder / f"{name}.parquet")
    return paths


def _told(report: Report) -> list[str]:
    return [*(f"- {one_line(reason)}" for reason in report.reasons()), ""]


def _write_pictures(drawn: Sequence[Picture], folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    as_pdf = not why_not()
    for picture in drawn:
        write_atomically(folder / f"{picture.name}.svg", picture.svg)
        if as_pdf:
            write_atomically(folder / f"{picture.name}.pdf", pdf_of(picture.svg))


def samples(trials: Sequence[Measured]) -> dict[str, Rows]:
    """Return the raw samples by what they are of, a row each."""
    return {
        "transitions": list(_transitions(trials)),
        "moves": list(_below(trials, "moves")),
        "stops": list(_below(trials, "stops")),
        "stills": list(_stills(trials)),
        "calls": [
            {**_trial(trial), **msgspec.structs.asdict(call)}
            for trial in trials
            for call in trial.calls
        ],
        "meetings": list(_below(trials, "met")),
    }


def further(report: Report) -> dict[str, Rows]:
    """Return what was held against simulations, a row each: rows, courses, and numbers of tasks."""
    held = report.held.rows if report.held else ()
    return {
        "held": [{**row.name._asdict(), **each} for row in held for each in _sides(row)],
        "courses": [{**row.name._asdict(), **each} for row in held for each in _courses(row)],
        "crowds": [
            {
                "case": point.case,
                "kernel": point.kernel,
                "model": point.model,
                "side": point.side,
                "tasks": point.tasks,
                "transitions": point.transitions,
                "failed": point.failed,
                **_three("seconds", point.seconds),
                **_three("stopped", point.stopped),
            }
            for point in report.points()
        ],
    }


def _three(of: str, found: Spread | None) -> dict[str, Any]:
    return {f"{of}_{name}": getattr(found, name, None) for name in ("least", "median", "most")}


def _sides(row: Row) -> Iterator[dict[str, Any]]:
    for name, side in (("measured", row.measured), ("simulated", row.simulated)):
        yield {
            "side": name,
            "transitions": side.count,
            "failed": side.failed,
            **_three("seconds", spread(side.seconds)),
            "agrees": row.agrees,
        }


def _courses(row: Row) -> Iterator[dict[str, Any]]:
    for side in ("measured", "simulated") if row.courses else ():
        assert row.courses is not None
        band: Band = getattr(row.courses, side)
        for place, time in enumerate(row.courses.times):
            yield {
                "side": side,
                "seconds": time,
                "moved_least": band.least[place],
                "moved_mean": band.mean[place],
                "moved_most": band.most[place],
            }


def _transitions(trials: Sequence[Measured]) -> Iterator[dict[str, Any]]:
    for trial in trials:
        for crossing in trial.crossings:
            yield {
                **_name(trial, crossing),
                "verdict": trial.verdict.value,
                "outcome": crossing.outcome,
                "seconds": crossing.seconds,
                "first_s": crossing.first_s,
                "last_s": crossing.last_s,
                "looks": crossing.looks,
                "failed": crossing.failed,
                **_gap("", crossing.gap),
                **_gap("baseline_", trial.baseline_gap),
                "before": trial.before,
                "during": trial.during,
                "patched": trial.patched,
                "after": trial.after,
            }


def _gap(of: str, gap: Gap | None) -> dict[str, Any]:
    return {
        f"{of}gap_own_s": gap.own_s if gap else None,
        f"{of}gap_whole_s": gap.whole_s if gap else None,
    }


def _below(trials: Sequence[Measured], what: str) -> Iterator[dict[str, Any]]:
    for trial in trials:
        for crossing in trial.crossings:
            for item in getattr(crossing, what):
                yield {**_name(trial, crossing), **msgspec.structs.asdict(item)}


def _stills(trials: Sequence[Measured]) -> Iterator[dict[str, Any]]:
    """Yield each with the transition that it fell into; none for most of them."""
    for trial in trials:
        for still in trial.stills:
            inside = (c.direction for c in trial.crossings if overlaps(still, c.window_s))
            yield {
                **_trial(trial),
                "direction": next(inside, None),
                **msgspec.structs.asdict(still),
            }


def _name(trial: Measured, crossing: Crossing) -> dict[str, Any]:
    return {**_trial(trial), "direction": crossing.direction}


def _trial(trial: Measured) -> dict[str, Any]:
    return {
        "case": trial.case,
        "kernel": trial.kernel,
        "workload": trial.workload,
        "model": trial.model,
        "repeat": trial.repeat,
    }


def _csv(rows: Rows) -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def _write_parquet(rows: Rows, path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    with written_aside(path) as file:
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), file, compression="zstd")
