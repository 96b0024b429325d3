"""``lpharness kernels``: list, fetch, build and prune."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from lpharness.base.architecture import NATIVE
from lpharness.cli.output import TerminalProgress, answers, print_json

if TYPE_CHECKING:
    from rich.table import Table

    from lpharness.kernels.catalog import Listed
    from lpharness.kernels.prune import Pruned

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="List, fetch, build and prune the kernels that can be tested.\n\n"
    "A kernel is named debian:6.1-cloud (the newest of a series; flavours cloud, amd64, rt), "
    "debian:6.1.0-55-cloud-amd64 (one release), built:6.1-small (one of our own, see build), "
    "profile:NAME (see profiles), tree:PATH (a built kernel tree) or "
    "files:image=PATH,modules=DIR,headers=DIR.",
)

_SMALL = 1_000_000  # bytes below which an entry of the cache is not worth a line
_WIDE = 140  # columns from which a table may tell everything
_JSON = typer.Option(False, "--json", help="Print one JSON document on stdout.")
_MIRROR = typer.Option(
    None,
    metavar="'URL [SUITE...]'",
    help="One more archive, verified by Debian's own keyring.",
)
_DEBS = typer.Option(None, metavar="DIR", help="A folder of .deb files to look into first.")


@app.command("list")
def list_kernels(
    words: list[str] = typer.Argument(
        None, metavar="[WORD]...", help="Only releases with these words in their name."
    ),
    cached: bool = typer.Option(False, "--cached", help="Only those in the cache."),
    mirror: str = _MIRROR,
    debs: Path = _DEBS,
    as_json: bool = _JSON,
) -> None:
    """Show which kernels the archive has and which are in the cache, newest first.

    Example: lpharness kernels list 6.1 cloud
    """
    from lpharness.archive import Archive
    from lpharness.kernels.catalog import available

    archive = Archive(mirror=mirror, debs=debs, progress=TerminalProgress())
    listed = [
        kernel
        for kernel in available(archive)
        if all(word in kernel.release for word in words or []) and (kernel.cached or not cached)
    ]
    if as_json:
        print_json(listed)
    else:
        _print_kernels(listed)


@app.command()
def fetch(
    specs: list[str] = typer.Argument(..., metavar="KERNEL...", help="Kernels to fetch."),
    headers: bool = typer.Option(True, help="Fetch what builds modules for them, too."),
    debug: bool = typer.Option(
        False, help="Fetch debug information, too: hundreds of megabytes, for file and line."
    ),
    mirror: str = _MIRROR,
    debs: Path = _DEBS,
    as_json: bool = _JSON,
) -> None:
    """Download kernels into the cache; a download that broke off goes on where it stopped.

    Example: lpharness kernels fetch debian:6.1-cloud debian:6.12-cloud
    """
    from lpharness.archive import Archive
    from lpharness.kernels import resolve, with_headers
    from lpharness.kernels.debug_info import fetch_debug_vmlinux

    progress = TerminalProgress()
    kernels = []
    for spec in specs:
        kernel = resolve(spec, progress=progress, mirror=mirror, debs=debs)
        if headers:
            kernel = with_headers(kernel, progress=progress, mirror=mirror, debs=debs)
        if debug:
            fetch_debug_vmlinux(kernel, Archive(mirror=mirror, debs=debs, progress=progress))
        kernels.append(kernel)
        if not as_json:
            typer.echo(f"{spec}: {kernel.release} in {kernel.image.parent.parent}")
    if as_json:
        print_json([_without_config(kernel) for kernel in kernels])


@app.command()
def build(
    source: str = typer.Option(
        ..., metavar="SOURCE", help="debian:6.1 (the newest), or debian:6.1.192-2 (one version)."
    ),
    config: str = typer.Option(..., help="small, or debug: with KASAN, lockdep, kmemleak, …"),
    toolchain: str = typer.Option("gcc-12", help="gcc-12, clang, clang-14, …"),
    arch: str = typer.Option(NATIVE, help="amd64, or ppc64el by a cross compiler."),
    jobs: int = typer.Option(
        None, "-j", "--jobs", min=1, help="Compilers at a time. [default: all CPUs]"
    ),
    mirror: str = _MIRROR,
    debs: Path = _DEBS,
    as_json: bool = _JSON,
) -> None:
    """Build a kernel of our own recipe; one that was interrupted goes on where it stopped.

    Example: lpharness kernels build --source debian:6.1 --config small

    It takes minutes, once: the same source, configuration and compiler are not built again.
    """
    from lpharness.kernels import resolve
    from lpharness.sources.kernel_build import build_kernel

    try:
        made = build_kernel(
            source, config, toolchain=toolchain, arch=arch, jobs=jobs,
            progress=TerminalProgress(), mirror=mirror, debs=debs,
        )  # fmt: skip
    except KeyboardInterrupt:
        typer.echo("  the same command goes on where this one stopped", err=True)
        raise
    resolve(made.built.spec)  # `list` shows it, and what cannot be used is told now
    if as_json:
        print_json(made)
        return
    built = made.built
    how = (
        "built before"
        if made.cached
        else (f"built in {built.seconds:.0f} s, {built.cpu_seconds:.0f} s of processors' time")
    )
    typer.echo(
        f"{built.spec}: {built.release}, linux {built.version}, image "
        f"{built.image_bytes / 1e6:.1f} MB, {how}\ntree:{made.tree}"
    )


@app.command("profiles")
def list_profiles(as_json: bool = _JSON) -> None:
    """Show the profiles: kernel, configuration and toolchain as one thing with a name.

    Example: lpharness run cmdline -k profile:small-6.1-clang
    """
    from lpharness.kernels.profiles import profiles

    known = profiles()
    if as_json:
        print_json(known)
        return
    table = _table("profile", "kernel", "toolchain", "what it is")
    for name, profile in known.items():
        table.add_row(f"profile:{name}", profile.kernel, profile.toolchain, profile.title)
    answers().print(table)


@app.command()
def prune(
    keep: int = typer.Option(
        None, metavar="N", min=0, help="Keep the N most recently used of each kind."
    ),
    days: float = typer.Option(
        None,
        metavar="D",
        min=0,
        help="Keep what was used in the last D days. Default: 30, unless --keep says otherwise.",
    ),
    everything: bool = typer.Option(False, "--all", help="Keep nothing."),
    kind: list[str] = typer.Option(
        None, metavar="KIND", help="Only this kind (a folder of the cache); may be repeated."
    ),
    dry_run: bool = typer.Option(False, "--dry-run", help="Only say what would be removed."),
    as_json: bool = _JSON,
) -> None:
    """Free the cache of kernels, headers, images, modules, snapshots and packages.

    What either limit keeps stays. Nothing that is removed is lost: it is fetched or made again
    when it is wanted (except kernels that the archive no longer has).

    Example: lpharness kernels prune --keep 2 --dry-run
    """
    from lpharness.base.cache import Cache
    from lpharness.base.errors import InputError
    from lpharness.kernels.prune import prune as remove

    if everything and (keep is not None or days is not None):
        raise InputError("--all keeps nothing, so --keep and --days mean nothing beside it")
    if not everything and keep is None and days is None:
        days = 30
    removed = remove(Cache(), keep=keep, days=days, only=kind or None, dry_run=dry_run)
    if as_json:
        print_json({"dry_run": dry_run, "bytes": sum(r.bytes for r in removed), "removed": removed})
    else:
        _print_pruned(removed, dry_run=dry_run)


def _print_kernels(listed: list[Listed]) -> None:
    from rich.console import Console
    from rich.filesize import decimal
    from rich.table import Table

    console = Console(**_width())
    wide = console.width >= _WIDE
    table = Table(box=None, pad_edge=False)
    table.add_column("kernel", overflow="fold")
    if wide:
        table.add_column("version", no_wrap=True)
    table.add_column("newest of", no_wrap=True)
    table.add_column("headers", no_wrap=True)
    table.add_column("download", justify="right", no_wrap=True)
    table.add_column("on disk", justify="right", no_wrap=True)
    if wide:
        table.add_column("from", overflow="fold", style="dim")
    for kernel in listed:
        row = [
            kernel.spec,
            kernel.version,
            (kernel.newest or "").removeprefix("debian:"),
            "yes" if kernel.has_headers else "no",
            decimal(kernel.download_bytes) if kernel.download_bytes else "",
            decimal(kernel.disk_bytes) if kernel.cached else "-",
            kernel.source if kernel.in_archive else f"cache only ({kernel.source})",
        ]
        cells = row if wide else [row[0], *row[2:-1]]
        table.add_row(*cells, style="bold" if kernel.cached else None)
    console.print(table)


def _table(*columns: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column)
    return table


def _print_pruned(removed: list[Pruned], *, dry_run: bool) -> None:
    from rich.console import Console
    from rich.filesize import decimal
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("kind")
    table.add_column("entry", overflow="fold")
    table.add_column("size", justify="right")
    table.add_column("unused for", justify="right")
    small = [item for item in removed if item.bytes < _SMALL]
    for item in removed:
        if item.bytes >= _SMALL:
            table.add_row(item.kind, item.name, decimal(item.bytes), f"{item.unused_days:.1f} days")
    if small:
        table.add_row(
            "", f"{len(small)} small ones", decimal(sum(item.bytes for item in small)), ""
        )
    console = Console(**_width())
    if removed:
        console.print(table)
    total = decimal(sum(item.bytes for item in removed))
    console.print(f"{total} {'would be freed' if dry_run else 'freed'}", highlight=False)


def _width() -> dict[str, Any]:
    """Return how wide to print: the terminal's width, or as wide as it takes for a program."""
    import sys

    return {} if sys.stdout.isatty() else {"width": 200}


def _without_config(kernel: Any) -> dict[str, Any]:
    import msgspec

    document: dict[str, Any] = msgspec.to_builtins(kernel, enc_hook=str)
    del document["config"]
    return document
