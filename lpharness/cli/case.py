"""``lpharness case``: the cases there are, and the skeleton of a new one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from lpharness.cli.output import answers, print_json

if TYPE_CHECKING:
    from lpharness.cases.model import Case, Flaw, ModuleSource, Outcome, Signs

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="List the cases, show one, or begin a new one."
)

_JSON = typer.Option(False, "--json", help="Print one JSON document on stdout.")


@app.command("list")
def list_cases(
    tag: list[str] = typer.Option(
        [], "--tag", metavar="TAG", help="Only cases with this tag. Repeatable: one is enough."
    ),
    as_json: bool = _JSON,
) -> None:
    """List the bundled cases.

    Example: lpharness case list --tag quick
    """
    from lpharness.cases import bundled, load, tagged

    cases = tagged(tag) if tag else [load(name) for name in bundled()]
    if as_json:
        print_json(cases)
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2))
    table.add_column("case", no_wrap=True)
    table.add_column("what it is")
    table.add_column("default workload", no_wrap=True)
    table.add_column("tags")
    for case in cases:
        cells = (case.name, case.title, case.workloads[0], " ".join(case.tags))
        table.add_row(*map(Text, cells))
    answers().print(table)


@app.command()
def show(
    name: str = typer.Argument(..., metavar="CASE", help="A bundled case's name, or a folder."),
    as_json: bool = _JSON,
) -> None:
    """Show a case: what it patches, and what must be seen.

    Example: lpharness case show atomic-replace
    """
    from lpharness.cases import load

    case = load(name)
    _look_up(case)
    if as_json:
        print_json(case)
    else:
        _print(case)


@app.command()
def new(
    folder: Path = typer.Argument(..., metavar="NAME", help="A folder that is not there yet."),
    as_json: bool = _JSON,
) -> None:
    """Write a commented case that builds and runs as it stands.

    Example: lpharness case new fix-mballoc
    """
    from lpharness.cases import write_skeleton

    file = write_skeleton(folder)
    if as_json:
        print_json({"file": file})
        return
    typer.echo(f"wrote {file}")
    shown = str(folder) if "/" in str(folder) else f"./{folder}"  # a path, not a bundled name
    typer.echo(f"try it: lpharness run {shown} -k debian:6.1-cloud")


def _look_up(case: Case) -> None:
    """Refuse a case that names a workload or an image that is not there."""
    from lpharness.images.recipe import load_recipe
    from lpharness.workloads.catalog import find

    load_recipe(case.image)
    for workload in case.workloads:
        find(workload)


def _print(case: Case) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    console.print(Text(f"{case.name}: {case.title}", style="bold"))
    for line in _lines(case):
        console.print(Text(line))


def _lines(case: Case) -> list[str]:
    lines = [case.summary] if case.summary else []
    lines += [
        f"folder     {case.folder}",
        f"kernels    {' '.join(case.kernels)}",
        *([f"for        {' '.join(case.architectures)}"] if case.architectures else []),
        f"workloads  {' '.join(case.workloads)}",
        f"image      {case.image}",
    ]
    if case.programs:
        lines.append(f"programs   {' '.join(case.programs)}")
    if case.target:
        lines.append(f"target     {' '.join(case.target.modules)}")
    if case.variants:
        lines.append(f"variants   {' '.join(variant.name for variant in case.variants)}")
    for module in case.modules:
        source = _source(module)
        how = ", replaces all earlier" if module.replaces else ", the base" if module.base else ""
        lines.append(f"module     {module.name} from {source}{how}")
        lines += [f"             {f.object}:{f.old} → {f.new or '?'}" for f in module.functions]
    for probe in case.probes:
        lines.append(f"probe      {probe.name}")
        lines += [f"             $ {line}" for line in probe.run.strip().splitlines()]
        lines += [
            f"             {state}: {_outcome(outcome)}" for state, outcome in probe.states.items()
        ]
    if case.flaw:
        lines += _flaw(case.flaw)
    if stall := case.expect.stall:
        lines.append(
            f"expect     a stall of {stall.seconds:g} s: {stall.comm} in {stall.function}, "
            f"until `{stall.release}`"
        )
    if case.expect.refused:
        lines.append(f"expect     to be refused: {case.expect.refused}")
    if case.expect.xfail:
        lines.append(f"expect     to fail: {case.expect.xfail}")
    lines += [f"see        {key}: {value}" for key, value in case.references.items()]
    return lines


def _flaw(flaw: Flaw) -> list[str]:
    lines = ["flaw", *(f"             $ {line}" for line in flaw.run.strip().splitlines())]
    lines.append(f"             without the patch: {_signs(flaw.unpatched)}")
    lines.append(f"             with the patch: {_outcome(flaw.patched)}")
    if flaw.returns:
        lines.append("             after the unload: as without the patch")
    return lines


def _signs(signs: Signs) -> str:
    parts = [_outcome(signs.outcome)] if signs.outcome else []
    if signs.on_console:
        kinds = " or ".join(signs.console) or "anything bad"
        where = f" in {' or '.join(signs.functions)}" if signs.functions else ""
        parts.append(f"{kinds}{where} on the console")
    return ", ".join(parts)


def _source(module: ModuleSource) -> str:
    if module.delta:
        undone = ", undone" if module.delta.reverse else ""
        return f"what changed from {module.delta.old} to {module.delta.new}{undone}"
    if module.edits:
        return "edits of " + ", ".join(dict.fromkeys(edit.place for edit in module.edits))
    return module.source or module.patch or module.prebuilt


def _outcome(outcome: Outcome) -> str:
    parts = [] if outcome.exit == 0 else [f"exit {'any' if outcome.exit is None else outcome.exit}"]
    for stream in ("stdout", "stderr"):
        text = getattr(outcome, stream)
        for condition in ("equals", "contains", "lacks", "matches"):
            value = getattr(text, condition)
            if value is not None:
                parts.append(f"{stream} {condition} {value!r}")
    return ", ".join(parts) or "exit 0"
