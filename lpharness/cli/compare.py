"""``lpharness compare``: two livepatch modules side by side."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from lpharness.engine.compare import Comparison, ReplacedFunction, Side, Taken

app = typer.Typer(add_completion=False, help="Show two livepatch modules side by side.")


@app.command()
def compare(
    a: Path = typer.Argument(..., metavar="A.ko", help="A livepatch module."),
    b: Path = typer.Argument(..., metavar="B.ko", help="Another, say of another builder."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON document on stdout."),
) -> None:
    """Show what two livepatch modules patch, bring along and refer to.

    Meant for the modules that two builders make of one diff: `lpharness build --builder`.
    Code is the same if its bytes are, but for what is filled in at load, and it refers to the same.

    Exit status: 0 both do the same to a kernel; 1 they do not; 2 a file is no livepatch.

    Example: lpharness compare lph_fix.ko livepatch-fix.ko
    """
    from lpharness.cli.output import print_json
    from lpharness.engine.compare import compare as put_side_by_side

    comparison = put_side_by_side(a, b)
    if as_json:
        print_json(comparison)
    else:
        _print(comparison)
    if not comparison.alike:
        raise typer.Exit(1)


def _print(comparison: Comparison) -> None:
    from rich.text import Text

    from lpharness.cli.output import answers

    console = answers()
    for table in (
        _facts(comparison),
        _functions(comparison),
        _carried(comparison),
        _references(comparison),
        _sections(comparison),
    ):
        if table.row_count:
            console.print(table)
            console.print()
    for line in comparison.remarks:
        console.print(Text(f"! {line}", style="yellow"))
    for line in comparison.differences:
        console.print(Text(f"✗ {line}", style="red"))
    if comparison.alike:
        console.print("[bold green]alike[/]: both do the same to a kernel")


def _table(*columns: str) -> Table:
    from rich.table import Table

    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _facts(comparison: Comparison) -> Table:
    table = _table("", "A", "B")
    facts = [(name, fact(comparison.a), fact(comparison.b)) for name, fact in _FACTS]
    for name, a, b in facts:
        if a or b:
            table.add_row(name, a, b)
    return table


_FACTS: tuple[tuple[str, Callable[[Side], str]], ...] = (
    ("file", lambda side: str(side.path)),
    ("module", lambda side: side.name),
    ("built for", lambda side: side.built_for),
    ("functions listed in", lambda side: side.table or "unknown"),
    ("replaces all earlier", lambda side: _yes_or_no(side.replace)),
    ("bytes of the file", lambda side: f"{side.size:,}"),
    ("bytes loaded", lambda side: f"{side.loaded:,}"),
    ("bytes of code", lambda side: f"{side.code:,}"),
    ("relocations", lambda side: f"{side.relocations:,}"),
    ("klp relocations", lambda side: _klp(side)),
)


def _klp(side: Side) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(side.klp_relocations.items()))


def _yes_or_no(known: bool | None) -> str:
    return {True: "yes", False: "no", None: "its code decides"}[known]


def _functions(comparison: Comparison) -> Table:
    table = _table("replaced function", "A", "B", "code")
    for one in comparison.functions:
        table.add_row(f"{one.object}:{one.old}", _taken(one.a), _taken(one.b), _code(one))
    return table


def _taken(taken: Taken | None) -> str:
    if taken is None:
        return "-"
    return f"sympos {taken.sympos} → {taken.new}, {taken.size} bytes"


def _code(one: ReplacedFunction) -> str:
    return str(one.code) or "?"


def _carried(comparison: Comparison) -> Table:
    table = _table("other function", "A", "B", "code")
    for one in comparison.carried:
        table.add_row(one.name, _bytes(one.a), _bytes(one.b), str(one.code))
    return table


def _bytes(size: int | None) -> str:
    return "-" if size is None else f"{size} bytes"


def _references(comparison: Comparison) -> Table:
    """Show only what the two reach differently: the rest is told by its number."""
    unlike = [one for one in comparison.references if one.a != one.b]
    same = len(comparison.references) - len(unlike)
    table = _table(f"symbol of the kernel ({same} more alike)", "A", "B")
    for one in unlike:
        table.add_row(one.name, ", ".join(one.a) or "-", ", ".join(one.b) or "-")
    return table


def _sections(comparison: Comparison) -> Table:
    table = _table("loaded section", "A", "B")
    for one in comparison.sections:
        table.add_row(one.name, f"{one.a:,}" if one.a else "-", f"{one.b:,}" if one.b else "-")
    return table
