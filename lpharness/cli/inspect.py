"""``lpharness inspect``: what a livepatch module is, and whether it fits a kernel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from lpharness.cli.output import TerminalProgress, print_json

if TYPE_CHECKING:
    from rich.console import Console

    from lpharness.engine.inspect import FunctionFit, Inspection

app = typer.Typer(
    add_completion=False, help="Read a livepatch .ko and say whether it can load, without a boot."
)


@app.command()
def inspect(
    file: Path = typer.Argument(..., metavar="FILE.ko", help="The livepatch module."),
    kernel: str = typer.Option(
        None, "-k", "--kernel", metavar="KERNEL", help="Hold it against this kernel."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON document on stdout."),
) -> None:
    """Show what a livepatch module patches, and why it could not load into a kernel.

    What it patches is read from the module's data and relocations, not from any source.

    Exit status: 0 it fits; 1 it would fail to load or patch; 2 the file is no livepatch.

    Example: lpharness inspect livepatch.ko -k debian:6.1-cloud
    """
    from lpharness.engine.inspect import inspect as read

    target = None
    if kernel is not None:
        from lpharness.kernels import resolve

        target = resolve(kernel, progress=TerminalProgress())
    inspection = read(file, target)
    if as_json:
        print_json(inspection)
    else:
        from rich.console import Console

        _print(inspection, Console(highlight=False, soft_wrap=True))
    if inspection.problems:
        raise typer.Exit(1)


def _print(inspection: Inspection, console: Console) -> None:
    _print_facts(inspection, console)
    _print_functions(inspection, console)
    for style, sign, lines in (
        ("red", "✗", inspection.problems),
        ("yellow", "!", inspection.warnings),
        ("dim", "?", inspection.unknown),
    ):
        for line in lines:
            _print_line(console, style, sign, line)
    console.print(_conclusion(inspection))


def _print_facts(inspection: Inspection, console: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    livepatch = inspection.livepatch
    patch = livepatch.patch
    relocated = [f"{r.object}:{r.section} ({r.count})" for r in livepatch.klp_relocations]
    callbacks = [
        f"{item.name}:{kind} → {function}"
        for item in livepatch.objects
        for kind, function in item.callbacks.items()
    ]
    facts = {
        "module": livepatch.name + ("" if livepatch.marked else " (not marked as a livepatch)"),
        "about": livepatch.description,
        "built for": livepatch.vermagic,
        "licence": livepatch.license + (", signed" if livepatch.signed else ", not signed"),
        "depends on": ", ".join(livepatch.depends),
        "functions listed in": patch.table if patch and patch.table != "klp_patch" else "",
        "replaces all earlier": _answer(patch.replace if patch else False),
        "callbacks": "\n".join(callbacks),
        "shadow variables": ", ".join(livepatch.shadow),
        "states": ", ".join(f"{s.id:#x} v{s.version}" for s in patch.states) if patch else "",
        "klp relocations": ", ".join(relocated),
        "klp symbols": ", ".join(
            f"{s.object}:{s.name},{s.sympos}" for s in livepatch.klp_symbols[:20]
        )
        + (" …" if len(livepatch.klp_symbols) > 20 else ""),
    }
    table = Table.grid(padding=(0, 2))
    for name, value in facts.items():
        if value:
            table.add_row(Text(name, style="dim"), Text(value))
    console.print(table)


def _print_functions(inspection: Inspection, console: Console) -> None:
    from rich.text import Text

    console.print()
    for fit in inspection.fits:
        position = f",{fit.sympos}" if fit.sympos else ""
        line = Text(f"{fit.object}:")
        line.append(f"{fit.old}{position}", style="bold").append(f" → {fit.new}")
        console.print(line)
        if inspection.kernel:
            console.print(
                Text(f"  found: {_found(fit)}; traceable: {_answer(fit.traceable)}", style="dim")
            )
    console.print()


def _found(fit: FunctionFit) -> str:
    if fit.exists and len(fit.candidates) > 1:
        return f"yes, {len(fit.candidates)} of that name"
    return _answer(fit.exists)


def _answer(known: bool | None) -> str:
    return {True: "yes", False: "no", None: "unknown"}[known]


def _print_line(console: Console, style: str, sign: str, line: str) -> None:
    from rich.text import Text

    console.print(Text(f"{sign} {line}", style=style))


def _conclusion(inspection: Inspection) -> str:
    if inspection.problems:
        return f"[bold red]would fail[/]{_where(inspection)}"
    if not inspection.kernel:
        return "[bold]no kernel to hold it against[/] (name one with -k)"
    if inspection.unknown:
        return f"[bold green]nothing speaks against it[/]{_where(inspection)}, as far as is known"
    return f"[bold green]fits[/]{_where(inspection)}"


def _where(inspection: Inspection) -> str:
    return f" on {inspection.kernel}" if inspection.kernel else ""
