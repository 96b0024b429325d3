"""What a livepatch from a source diff costs: the tree, a diff, the same again, and memory."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import psutil

from lpharness.archive import Archive
from lpharness.base.cache import Cache, cache_root
from lpharness.base.errors import HostError, InputError
from lpharness.base.progress import SILENT, Progress
from lpharness.bench.figures import Bench, Figure, host_load, stopwatch
from lpharness.engine.builders.outside import Workbench
from lpharness.engine.builders.worktree import lay_out_kernel
from lpharness.engine.compiler import find_compiler
from lpharness.engine.emit import build_diff
from lpharness.kernels import resolve, with_headers
from lpharness.kernels.model import Kernel
from lpharness.sources.package import find_source
from lpharness.sources.prepare import prepare_tree
from lpharness.sources.tree import SourceTree
from lpharness.sources.unified import unified_diff

RECORDED_S = 1080.0
"""``make -j2 vmlinux`` of 6.1.192 with Debian's cloud configuration on the project's machine."""

_MIB = 1 << 20
_NAME = "lph_bench"
_GLANCE_S = 0.1
# A file of ordinary size that every flavour builds, and a line of it that has not moved in years.
# What becomes of it is never loaded.
_FILE = "net/ipv4/tcp_input.c"
_OLD, _NEW = "icsk->icsk_ack.last_seg_size = 0;", "icsk->icsk_ack.last_seg_size = skb->len & 1;"
# Of the user's cache: what was downloaded, and the kernel itself.
_LENT = ("apt", "debs", "kernels")


def measure(
    kernel: str, repeat: int, *, whole_kernel: bool = False, progress: Progress = SILENT
) -> Bench:
    """Measure builds of a one-file diff, each from an empty cache; downloads are not counted.

    Args:
        kernel: as on the command line.
        repeat: how many times all is done from the start.
        whole_kernel: build the whole of vmlinux as well, instead of a figure that was recorded.
        progress: told of each step.

    Raises:
        InputError: the kernel's source is not to be had.
    """
    found = resolve(kernel, progress=progress)
    before = host_load()
    _download(found, progress)
    rounds = [_round(found, progress) for _ in range(repeat)]
    trees, diffs, again, memory = (list(samples) for samples in zip(*rounds, strict=True))
    whole = _whole_kernel(found, progress) if whole_kernel else RECORDED_S
    where = f"-j{os.cpu_count() or 1}" if whole_kernel else "recorded: -j2, 6.1 cloud"
    figures = [
        Figure(name="source tree, cold", unit="s", samples=trees, bound=60.0),
        Figure(name="one-file diff, cold", unit="s", samples=diffs, bound=12.0),
        Figure(name="the same again, as a command", unit="s", samples=again, bound=1.0),
        Figure(name="peak memory, with children", unit="MiB", samples=memory, bound=1536.0),
        Figure(name=f"make vmlinux ({where})", unit="s", samples=[whole]),
        Figure(
            name="one-file diff, share of that", unit="%",
            samples=[100 * seconds / whole for seconds in diffs], goal=1.0,
        ),
    ]  # fmt: skip
    return Bench(kernel=found.release, figures=figures, load=(before, host_load()))


def _download(kernel: Kernel, progress: Progress) -> None:
    """See that the user's cache has all packages."""
    if not kernel.origin.package:
        return  # built here
    with _empty_cache() as cache:
        archive = Archive(cache, progress=progress)
        archive.download(find_source(kernel.origin.version, archive))
        with_headers(kernel, progress=progress, cache=cache)


@contextmanager
def _empty_cache() -> Iterator[Cache]:
    """Give a cache in which nothing is but what was downloaded and the kernel."""
    with tempfile.TemporaryDirectory(prefix="lpharness-bench-") as folder:
        for kind in _LENT:
            (cache_root() / kind).mkdir(parents=True, exist_ok=True)
            (Path(folder) / kind).symlink_to((cache_root() / kind).resolve())
        yield Cache(Path(folder))


def _round(kernel: Kernel, progress: Progress) -> tuple[float, float, float, float]:
    """Return seconds of the tree, of a diff and of the same again, and the most memory in MiB."""
    with _empty_cache() as cache, _most_memory() as memory:
        with stopwatch() as unpacking, progress.step("source tree, cold"):
            target = with_headers(kernel, cache=cache)
            tree = prepare_tree(target, cache=cache)
        diff = _diff(tree)
        with stopwatch() as building, progress.step("one-file diff, cold"):
            build_diff(diff, target, name=_NAME, cache=cache)
        with progress.step("the same again"):
            again = _again(diff, kernel, cache)
    return unpacking.seconds, building.seconds, again, memory.most / _MIB


def _diff(tree: SourceTree) -> str:
    before = tree.read(_FILE)
    if before is None or _OLD.encode() not in before:
        raise InputError(
            f"{tree.kernel.release}: {_FILE} is not what is measured with",
            hint="take a 6.1 or 6.12 kernel",
        )
    text = before.decode("utf-8", "surrogateescape")
    return unified_diff(_FILE, text, text.replace(_OLD, _NEW, 1))


def _again(diff: str, kernel: Kernel, cache: Cache) -> float:
    """Time the command, start-up included, when nothing has changed."""
    with tempfile.TemporaryDirectory(prefix="lpharness-bench-") as folder:
        file = Path(folder) / f"{_NAME}.patch"
        file.write_text(diff, encoding="utf-8", errors="surrogateescape")
        spec = kernel.origin.spec if not kernel.origin.package else f"debian:{kernel.release}"
        command = [
            sys.executable, "-m", "lpharness.cli", "build", str(file), "-k", spec,
            "--name", _NAME,
        ]  # fmt: skip
        with stopwatch() as watch:
            done = subprocess.run(
                command, capture_output=True, text=True, check=False,
                env={**os.environ, "LPHARNESS_CACHE": str(cache.root)},
            )  # fmt: skip
    if done.returncode != 0:
        raise HostError(f"cannot build again what was built: {done.stderr.strip()}")
    return watch.seconds


class _Memory:
    most = 0


@contextmanager
def _most_memory() -> Iterator[_Memory]:
    """Watch the resident memory of this process and its children, added up."""
    memory, over = _Memory(), Event()
    own = psutil.Process()

    def watch() -> None:
        while not over.wait(_GLANCE_S):
            memory.most = max(memory.most, _resident(own))

    thread = Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield memory
    finally:
        over.set()
        thread.join()


def _resident(process: psutil.Process) -> int:
    total = 0
    for one in (process, *process.children(recursive=True)):
        try:
            total += one.memory_info().rss
        except psutil.NoSuchProcess:  # ended meanwhile
            continue
    return total


def _whole_kernel(kernel: Kernel, progress: Progress) -> float:
    """Return the seconds of a whole ``make vmlinux``, tree and configuration not counted."""
    with (
        tempfile.TemporaryDirectory(prefix="lpharness-bench-") as folder,
        Workbench(find_compiler(kernel), Path(folder) / "work", progress, Cache()) as bench,
    ):
        tree = bench.folder / "tree"
        lay_out_kernel(kernel, tree, bench)
        for target in ("clean", "prepare"):
            _make(bench, kernel, tree, target)
        with stopwatch() as watch, progress.step("make vmlinux"):
            _make(bench, kernel, tree, "vmlinux")
    return watch.seconds


def _make(bench: Workbench, kernel: Kernel, tree: Path, target: str) -> None:
    jobs = f"-j{os.cpu_count() or 1}"
    done = bench.run(["make", jobs, target], folder=tree, kernel=kernel, what=f"make {target}")
    if done.status != 0:
        said = done.said.strip().splitlines() or [f"exit status {done.status}"]
        raise HostError(f"cannot make {target} of {kernel.release}: {said[-1]}")
