"""``lpharness build``: a case's modules, or a source diff's, for a kernel."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from lpharness.cli.output import TerminalProgress, print_json

if TYPE_CHECKING:
    from lpharness.cases.model import Case
    from lpharness.engine.build import Module
    from lpharness.engine.builders import Builder
    from lpharness.kernels.model import Kernel

app = typer.Typer(
    add_completion=False, help="Build livepatch modules of a case or of a source diff."
)

_DIFFS = (".patch", ".diff")


@app.command()
def build(
    what: str = typer.Argument(
        ..., metavar="CASE|FILE.patch", help="A bundled case's name, a case's folder, or a diff."
    ),
    kernel: str = typer.Option(..., "-k", "--kernel", metavar="KERNEL", help="Build for this one."),
    output: Path = typer.Option(
        None, "-o", "--output", metavar="PATH",
        help="Where to copy the modules: a folder, or, for a diff, a file OUT.ko.",
    ),
    explain: bool = typer.Option(
        False, "--explain", help="Say of each function why it is taken, and where all comes from."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON document on stdout."),
    name: str = typer.Option(
        "", "--name", help="For a diff: the module's name; else it is made of OUT.ko or the file's."
    ),
    replace: bool = typer.Option(
        False, "--replace", help="For a diff: replace all livepatches that are loaded by then."
    ),
    force_base: bool = typer.Option(
        False, "--force-base",
        help="For a diff: patch functions although they are not the kernel's byte for byte.",
    ),
    most_units: int = typer.Option(
        20, "--most-units", min=1,
        help="For a diff: refuse if a header is in more files than this.",
    ),
    allow: list[str] = typer.Option(
        [], "--allow", metavar="KIND",
        help="For a diff: go on in spite of a refusal: layout, thread-function, function-table; "
        "or, leaving that change out: init-code, init-data, exit-code, exit-data, initcalls, "
        "module-info, module-parameters.",
    ),
    builder: str = typer.Option(
        None, "--builder", metavar="engine|kpatch|klp-build",
        help="What makes a module of a diff: the engine, or a tool on this host, which builds the "
        "whole kernel (half an hour or more).",
    ),
    builder_path: Path = typer.Option(
        None, "--builder-path", metavar="FILE", help="Where that tool is, if not on PATH."
    ),
) -> None:  # fmt: skip
    """Build livepatch modules with the compiler that the kernel was built with.

    The same source for the same kernel is built once, and gives the same bytes on any machine.

    Exit status: 0 built; 1 built, but would fail to load or patch; 2 it cannot be built.

    Examples: lpharness build cmdline -k debian:6.1-cloud -o /tmp

    lpharness build fix.patch -k debian:6.1.0-55-cloud-amd64 -o lph_fix.ko --explain
    """
    from lpharness.kernels import resolve

    progress = TerminalProgress()
    maker = _builder(builder, builder_path, force_base, most_units, frozenset(allow))
    source = _read(what)  # what is wrong with it is told before a kernel is downloaded
    target = resolve(kernel, progress=progress)
    if isinstance(source, str):
        modules = [
            _of_diff(
                source, target, progress, name=name or _name(what, output), replace=replace,
                builder=maker, explain=explain, as_json=as_json,
            )
        ]  # fmt: skip
    else:
        modules = _of_case(source, target, progress, maker if builder else None)
    if output is not None:
        modules = [_copy(module, output) for module in modules]
    if as_json:
        print_json(modules)
    else:
        _print(modules, explain=explain)
    if any(module.inspection.problems for module in modules):
        raise typer.Exit(1)


def _builder(
    name: str | None, program: Path | None, force_base: bool, most_units: int, allow: frozenset[str]
) -> Builder:
    """Return the builder that is asked for; refuse options that are not its own."""
    from lpharness.base.errors import InputError
    from lpharness.engine.builders import Engine, builder_named

    if name is None or name == "engine":
        if program is not None:
            raise InputError(
                "--builder-path is for outside builders", hint="name one: --builder kpatch"
            )
        return Engine(force_base=force_base, most_units=most_units, allow=allow)
    for option, given in (("--force-base", force_base), ("--allow", bool(allow))):
        if given:
            raise InputError(f"{option} is for the engine, not for {name}", hint="leave it out")
    return builder_named(name, program)


def _read(what: str) -> Case | str:
    """Return the case, or the text of a diff."""
    from lpharness.base.errors import InputError
    from lpharness.cases import load

    if not what.endswith(_DIFFS):
        return load(what)
    try:
        return Path(what).read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        raise InputError(f"cannot read {what}: {error.strerror}") from error


def _of_case(
    case: Case, kernel: Kernel, progress: TerminalProgress, builder: Builder | None
) -> list[Module]:
    from lpharness.engine.build import build_module

    return [build_module(case, m, kernel, builder=builder, progress=progress) for m in case.modules]


def _of_diff(
    diff: str,
    kernel: Kernel,
    progress: TerminalProgress,
    *,
    name: str,
    replace: bool,
    builder: Builder,
    explain: bool,
    as_json: bool,
) -> Module:
    from lpharness.engine.build import module_of_diff
    from lpharness.engine.emit import Refused

    try:
        return module_of_diff(
            diff, kernel, name=name, replace=replace, builder=builder, progress=progress
        )
    except Refused as refused:
        if as_json:
            print_json({"refused": str(refused), "objects": refused.objects})
        elif explain:
            from lpharness.cli.explain import explain_objects

            for line in explain_objects(refused.objects):
                typer.echo(line)
        raise


def _name(file: str, output: Path | None) -> str:
    """Return the name of a diff's module: that of the file it is to be, or one made of the diff's.

    It begins with a letter, as the kernel's own do.
    """
    if output is not None and output.suffix == ".ko":
        return output.stem.replace("-", "_")
    stem = re.sub(r"\W+", "_", Path(file).stem, flags=re.ASCII).strip("_").lower()
    return f"lph_{stem}"[:55]


def _copy(module: Module, output: Path) -> Module:
    import msgspec

    from lpharness.base.errors import InputError

    path = output if output.suffix == ".ko" else output / f"{module.name}.ko"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(module.path, path)
    except OSError as error:
        raise InputError(f"cannot write to {path}: {error.strerror}") from error
    return msgspec.structs.replace(module, path=path)


def _print(modules: list[Module], *, explain: bool) -> None:
    from rich.console import Console
    from rich.text import Text

    from lpharness.cli.explain import explain_patch, summarize_patch

    console = Console(highlight=False, soft_wrap=True)
    for module in modules:
        console.print(Text(str(module.path), style="bold"))
        for function in module.inspection.functions:
            console.print(Text(f"  {function.object}:{function.old} → {function.new}"))
        origin = f"built with {module.compiler}" if module.compiler else "prebuilt"
        if module.tool:
            origin += f" by {module.tool}, {module.seconds:.0f} s"
        console.print(Text(f"  sha256 {module.sha256}, {origin}", style="dim"))
        if module.patch is not None:
            lines = explain_patch(module.patch) if explain else summarize_patch(module.patch)
            for line in lines:
                console.print(Text(f"  {line}"))
        for line in module.inspection.problems:
            console.print(Text(f"  ✗ {line}", style="red"))
        for line in (*module.inspection.warnings, *module.warnings.splitlines()):
            console.print(Text(f"  ! {line}", style="yellow"))
