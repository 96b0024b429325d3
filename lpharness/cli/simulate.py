"""``lpharness simulate``: the five consistency models over a scenario, without a guest."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lpharness.cli.output import TerminalProgress, answers, print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from lpharness.simulation.outcome import Outcome
    from lpharness.simulation.sweep import Swept

app = typer.Typer(add_completion=False)


class Model(StrEnum):
    """The five models; here, so that ``--help`` needs no numpy."""

    IMMEDIATE = "immediate"
    KSPLICE = "ksplice"
    KPATCH = "kpatch"
    KGRAFT = "kgraft"
    HYBRID = "hybrid"


@app.command()
def simulate(
    scenario: Annotated[
        str, typer.Argument(metavar="SCENARIO", help="A TOML file, or a bundled one's name.")
    ],
    model: Annotated[
        list[Model] | None, typer.Option("-m", "--model", help="Only these models.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the first simulation.")] = 1,
    repeat: Annotated[
        int, typer.Option("-n", "--repeat", min=1, help="Simulations of each, seed by seed.")
    ] = 1,
    sweep: Annotated[
        str, typer.Option(help="One key, several values: cpus=1,4,16, tasks=…, tasks.NAME=….")
    ] = "",
    jobs: Annotated[int, typer.Option("-j", "--jobs", min=1, help="Processes.")] = 1,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="A new folder for CSV, JSON and SVG.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Simulate a transition under each consistency model, from a scenario and a seed.

    Examples: lpharness simulate mixed

    lpharness simulate ./mine.toml -m kpatch -m hybrid --sweep cpus=1,4,16,64 -j 2 -o out

    The same scenario, model and seed give the same figures always. Needs numpy, and numba to be
    fast: pip install 'lpharness[simulation]'.

    Exit status: 0 it was simulated, whatever came of it; 2 bad input.
    """
    found = _simulate(
        scenario, [each.value for each in model or Model], seed, repeat, sweep, jobs, output
    )
    if json:
        print_json({"simulations": found})
        return
    console = answers()
    console.print(_table(found))
    console.print(_meetings(found))
    for each in found:
        _tell_blockers(each.outcome)


def _simulate(
    name: str,
    models: list[str],
    seed: int,
    repeat: int,
    sweep: str,
    jobs: int,
    output: Path | None,
) -> list[Swept]:
    _need_numpy()
    from lpharness.base.errors import InputError
    from lpharness.simulation.scenario import load
    from lpharness.simulation.sweep import carry_out, plan

    if output is not None and output.exists():
        raise InputError(f"{output} is there already", hint="name a new folder")
    work = plan(load(name), models, range(seed, seed + repeat), sweep)
    with TerminalProgress().step(f"simulating {len(work)} transitions") as step:
        found = []
        for each in carry_out(work, jobs):
            found.append(each)
            step.update(len(found), len(work))
    if output is not None:
        _write(found, output)
    return found


def _need_numpy() -> None:
    from importlib.util import find_spec

    from lpharness.base.errors import HostError

    if find_spec("numpy") is None:
        raise HostError("simulating needs numpy", hint="pip install 'lpharness[simulation]'")


def _write(found: Sequence[Swept], output: Path) -> None:
    import msgspec

    from lpharness.simulation.picture import curves_svg
    from lpharness.simulation.tables import curves_csv, outcomes_csv

    output.mkdir(parents=True)
    (output / "simulations.json").write_bytes(msgspec.json.encode(found))
    (output / "simulations.csv").write_text(outcomes_csv(found))
    (output / "curves.csv").write_text(curves_csv(found))
    groups: dict[str, dict[str, Outcome]] = {}
    for each in found:  # of several seeds the first is drawn
        groups.setdefault(each.swept, {}).setdefault(each.outcome.model, each.outcome)
    for swept, by_model in groups.items():
        name = f"curves-{swept}.svg" if swept else "curves.svg"
        (output / name).write_text(curves_svg(list(by_model.values())))


def _table(found: Sequence[Swept]) -> Table:
    from rich.table import Table

    table = Table(box=None, header_style="dim")
    for column in ("model", "swept", "seed", "outcome"):
        table.add_column(column)
    for column in ("tries", "over after", "first", "median", "last", "not moved", "longest stop"):
        table.add_column(column, justify="right")
    for each in found:
        it, moved = each.outcome, each.outcome.moved["all"]
        times = [moved.least, moved.median, moved.most] if moved.count else [None] * 3
        table.add_row(
            it.model,
            each.swept,
            str(it.seed),
            f"[{'green' if it.outcome == 'completed' else 'yellow'}]{it.outcome}[/]",
            str(it.tries),
            *(_seconds(value) for value in (it.completed_s, *times)),
            str(it.not_moved),
            _seconds(it.longest_stop_s) if it.stops else "none",
        )
    return table


def _meetings(found: Sequence[Swept]) -> Table:
    """Return how often old and new code met, summed over seeds and what was swept."""
    from rich.table import Table

    sums: dict[str, dict[str, int]] = {}
    for each in found:
        counts = sums.setdefault(each.outcome.model, {})
        for meeting, count in each.outcome.meetings.items():
            counts[meeting] = counts.get(meeting, 0) + count
    table = Table(box=None, header_style="dim")
    table.add_column("old and new met")
    for model in sums:
        table.add_column(model, justify="right")
    for meeting in next(iter(sums.values())):
        table.add_row(meeting, *(str(counts[meeting]) for counts in sums.values()))
    return table


def _tell_blockers(outcome: Outcome) -> None:
    console = answers()
    for who in outcome.blockers[:5]:
        stack = " ← ".join(who.stack) or "nothing on its stack"
        console.print(
            f"{outcome.model}, seed {outcome.seed}: {who.tasks} of {who.group} in the way, "
            f"{who.state}: {stack}",
            markup=False,
        )


def _seconds(value: float | None) -> str:
    if value is None:
        return "-"
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return "0 s" if value == 0 else f"{value * 1e9:.0f} ns"
