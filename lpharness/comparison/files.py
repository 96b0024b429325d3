"""What a comparison leaves beside the run: JSON, Markdown, and the raw samples for other tools."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from lpharness.comparison.measured import Crossing, Gap, Measured
from lpharness.comparison.page import page
from lpharness.comparison.pictures import pictures
from lpharness.comparison.standing import overlaps
from lpharness.comparison.summary import Comparison
from lpharness.comparison.tables import markdown, tables
from lpharness.results.files import write_atomically, written_aside

Rows = list[dict[str, Any]]


def write(comparison: Comparison, folder: Path) -> dict[str, Path]:
    """Write the tables as a page, as Markdown and as JSON, the pictures and the samples.

    Samples are CSV, and Parquet beside it where pyarrow is installed. Returns the paths by name.

    Raises:
        HostError: no space left, or the folder cannot be written.
    """
    made, drawn = tables(comparison), pictures(comparison)
    paths = {
        "html": folder / "comparison.html",
        "markdown": folder / "comparison.md",
        "json": folder / "comparison.json",
    }
    write_atomically(paths["html"], page(comparison, made, drawn).encode())
    write_atomically(paths["markdown"], "\n".join(map(markdown, made)).encode())
    # Of these samples there are thousands: they are in files of their own.
    trials = tuple(
        msgspec.structs.replace(trial, stills=(), calls=()) for trial in comparison.trials
    )
    encoded = msgspec.json.encode(msgspec.structs.replace(comparison, trials=trials))
    write_atomically(paths["json"], msgspec.json.format(encoded, indent=1) + b"\n")
    if drawn:
        paths["pictures"] = folder / "pictures"
        paths["pictures"].mkdir(exist_ok=True)
    for picture in drawn:
        write_atomically(paths["pictures"] / f"{picture.name}.svg", picture.svg.encode())
    for name, rows in samples(comparison.trials).items():
        if rows:
            paths[name] = folder / f"{name}.csv"
            write_atomically(paths[name], _csv(rows).encode())
            if find_spec("pyarrow") is not None:
                _write_parquet(rows, folder / f"{name}.parquet")
    return paths


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
