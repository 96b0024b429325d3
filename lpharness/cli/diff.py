"""``lpharness diff``: the differ's answer alone, for any two relocatable objects."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from lpharness.engine.differ import DiffReport

app = typer.Typer(add_completion=False, context_settings={"help_option_names": ["-h", "--help"]})

_EPILOG = (
    "Example: lpharness diff original/mballoc.o patched/mballoc.o --explain. "
    "Exit status: 0 nothing stands against a livepatch; 1 something is refused; "
    "2 a file is no relocatable object; 3 an architecture that cannot be judged."
)


@app.command(epilog=_EPILOG)
def diff(
    original: Path = typer.Argument(
        ..., metavar="ORIGINAL.o", help="The object as the running kernel has it."
    ),
    patched: Path = typer.Argument(..., metavar="PATCHED.o", help="The object with the change."),
    explain: bool = typer.Option(
        False, "--explain", help="Say for each function why it is taken, with the instruction."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print the whole answer as JSON."),
) -> None:
    """Say what a livepatch would take from PATCHED.o, and what it cannot bring about.

    Both objects should be compiled with -ffunction-sections -fdata-sections, by the same compiler
    with the same flags; with gcc's -gbtf as well, the layouts of structures are compared too.
    """
    from lpharness.cli.output import print_json
    from lpharness.engine.differ import Answer, diff_files

    answer = diff_files(original, patched)
    if as_json:
        print_json(answer)
    else:
        _print(answer, explain)
    raise typer.Exit(1 if answer.answer is Answer.REFUSED else 0)


def _print(answer: DiffReport, explain: bool) -> None:
    for line in _functions(answer, explain) + _data(answer) + _refusals(answer):
        typer.echo(line)
    for warning in answer.warnings:
        typer.echo(f"warning: {warning}")
    if explain:
        for special in answer.special:
            kept = f"{special.kept} of {special.entries} entries kept"
            typer.echo(f"special  {special.section}: {kept} ({special.entry})")
    typer.echo(f"{answer.answer}: {_summary(answer)}")


def _summary(answer: DiffReport) -> str:
    counted: dict[str, int] = {}
    for function in answer.functions:
        counted[function.state] = counted.get(function.state, 0) + 1
    unchanged = len(answer.unchanged) + counted.pop("unchanged", 0)
    parts = [f"{number} {state}" for state, number in counted.items()]
    parts.append(f"{unchanged} unchanged functions")
    if answer.refusals:
        parts.append(f"{len(answer.refusals)} refusals")
    return ", ".join(parts)


def _functions(answer: DiffReport, explain: bool) -> list[str]:
    lines = []
    for function in answer.functions:
        if function.state == "unchanged" and not explain:
            continue
        notes = [f"now {function.patched_name}"] if function.patched_name else []
        if function.line_numbers:
            notes.append("differs in line numbers only")
        if function.parent and function.taken:
            notes.append(f"part of {function.parent}")
        elif function.taken and not function.replaces and function.state != "new":
            notes.append("copied for its callers")
        lines.append(
            f"{function.state:8} {function.name}" + (f" ({', '.join(notes)})" if notes else "")
        )
        if explain and function.why:
            at = f" at +{function.why.offset:#x}" if function.why.offset is not None else ""
            lines.append(f"           {function.why.text}{at}")
            if function.why.original != function.why.patched:
                lines.append(f"             - {function.why.original}")
                lines.append(f"             + {function.why.patched}")
    return lines


def _data(answer: DiffReport) -> list[str]:
    return [
        f"{'data ' + data.state:13}{data.name}" + (f": {data.why}" if data.why else "")
        for data in answer.data
    ]


def _refusals(answer: DiffReport) -> list[str]:
    lines = []
    for refusal in answer.refusals:
        lines.append(f"refused  {refusal.subject}: {refusal.reason} [{refusal.kind}]")
        lines.append(f"           hint: {refusal.hint}")
    return lines
