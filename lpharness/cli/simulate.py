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

    from lpharness.simulation.fit import Fitted
    from lpharness.simulation.fleet import Rollout
    from lpharness.simulation.outcome import Outcome
    from lpharness.simulation.scenario import Fleet, Scenario
    from lpharness.simulation.sweep import Job, Swept

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
        str, typer.Argument(metavar="[SCENARIO]", help="A TOML file, or a bundled one's name.")
    ] = "",
    fit: Annotated[
        Path | None,
        typer.Option(metavar="TRIAL", help="Fit the scenario to a recording: a trial's folder."),
    ] = None,
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

    lpharness simulate --fit results/latest/TRIAL -m hybrid -n 20

    lpharness simulate ./mine.toml -m kpatch -m hybrid --sweep cpus=1,4,16,64 -j 2 -o out

    The same scenario, model and seed give the same figures always. Needs numpy, and numba to be
    fast: pip install 'lpharness[simulation]'.

    Exit status: 0 it was simulated, whatever came of it; 2 bad input.
    """
    need_numpy()
    from lpharness.simulation.sweep import plan

    chosen, fitted = _chosen(scenario, fit)
    models = [each.value for each in model or Model]
    if chosen.fleet is not None:
        _reject_sweep(sweep)
        repeat = max(repeat, chosen.fleet.samples)
    found = _carry_out(plan(chosen, models, range(seed, seed + repeat), sweep), jobs, output)
    rollouts = [] if chosen.fleet is None else _roll_out(chosen.fleet, found, seed)
    if json:
        print_json({"simulations": found, "fitted": fitted, "rollouts": rollouts})
        return
    console = answers()
    if rollouts:
        console.print(_fleet_table(rollouts))
        return
    console.print(_table(found))
    console.print(_meetings(found))
    for each in found:
        _tell_blockers(each.outcome)
    if fitted is not None:
        _tell_fit(fitted, found)


def _chosen(name: str, trial: Path | None) -> tuple[Scenario, Fitted | None]:
    """Return the scenario that is asked for, and how it was fitted if it was."""
    from lpharness.base.errors import InputError
    from lpharness.simulation.fit import fit
    from lpharness.simulation.scenario import bundled, load

    if bool(name) == (trial is not None):
        raise InputError(
            "give a scenario, or --fit and a trial's folder",
            hint=f"bundled scenarios: {', '.join(bundled())}",
        )
    if trial is None:
        return load(name), None
    fitted = fit(trial)
    return fitted.scenario, fitted


def _carry_out(work: list[Job], jobs: int, output: Path | None) -> list[Swept]:
    from lpharness.base.errors import InputError
    from lpharness.simulation.sweep import carry_out

    if output is not None and output.exists():
        raise InputError(f"{output} is there already", hint="name a new folder")
    with TerminalProgress().step(f"simulating {len(work)} transitions") as step:
        found = []
        for each in carry_out(work, jobs):
            found.append(each)
            step.update(len(found), len(work))
    if output is not None:
        _write(work, found, output)
    return found


def _reject_sweep(sweep: str) -> None:
    from lpharness.base.errors import InputError

    if sweep:
        raise InputError("a fleet cannot be swept", hint="take [fleet] out of the scenario")


def _roll_out(fleet: Fleet, found: Sequence[Swept], seed: int) -> list[Rollout]:
    from lpharness.simulation.fleet import roll_out

    samples: dict[str, list[Outcome]] = {}
    for each in found:
        samples.setdefault(each.outcome.model, []).append(each.outcome)
    return [roll_out(fleet, model, outcomes, seed) for model, outcomes in samples.items()]


def _fleet_table(rollouts: Sequence[Rollout]) -> Table:
    from rich.table import Table

    table = Table(box=None, header_style="dim")
    table.add_column("model")
    for column in ("patched live", "stalled", "untouched", "waves", "downtime avoided", "took"):
        table.add_column(column, justify="right")
    for it in rollouts:
        stopped = "" if it.stopped_after is None else ", then stopped"
        table.add_row(
            it.model,
            f"{it.patched:,}",
            f"{it.stalled:,}",
            f"{it.untouched:,}",
            f"{len(it.waves)}{stopped}",
            f"{it.downtime_avoided_s / 3600:,.0f} h",
            f"{it.took_s / 60:.1f} min",
        )
    return table


def _tell_fit(fitted: Fitted, found: Sequence[Swept]) -> None:
    """Set the simulated hybrid beside the transition that was measured."""
    from statistics import median

    times = [it.outcome.completed_s for it in found if it.outcome.model == Model.HYBRID]
    over = [time for time in times if time is not None]
    console = answers()
    console.print(
        f"hybrid: measured {_seconds(fitted.measured_s)}, "
        f"simulated {_seconds(median(over) if over else None)} (median of {len(over)} that ended)"
    )
    for assumption in fitted.assumed:
        console.print(f"  assumed: {assumption}", style="dim", markup=False)


def need_numpy() -> None:
    """Refuse to go on without what the simulation is made with."""
    from importlib.util import find_spec

    from lpharness.base.errors import HostError

    if find_spec("numpy") is None:
        raise HostError("simulating needs numpy", hint="pip install 'lpharness[simulation]'")


def _write(work: Sequence[Job], found: Sequence[Swept], output: Path) -> None:
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
    _write_timelines(work, found, output)


def _write_timelines(work: Sequence[Job], found: Sequence[Swept], output: Path) -> None:
    """Draw what each task did, where they are few and nothing is swept; of seeds the first."""
    from lpharness.simulation.timeline import MOST_TASKS, timeline
    from lpharness.simulation.timeline_picture import timeline_svg

    for job, each in zip(work, found, strict=True):
        path = output / f"timeline-{job.model}.svg"
        tasks, took = sum(group.count for group in job.scenario.tasks), each.outcome.completed_s
        if tasks <= MOST_TASKS and took is not None and not job.swept and not path.exists():
            path.write_text(timeline_svg(timeline(job.scenario, job.model, job.seed, took)))


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
