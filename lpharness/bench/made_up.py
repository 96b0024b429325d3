"""Fills a store with trials that never were: to measure and to test what reads it.

``python -m lpharness.bench.made_up STORE TRIALS`` does so by hand. Every host, run and case in it
is called made up, so that nobody takes it for results.
"""

from __future__ import annotations

import itertools
import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from lpharness.base.errors import InputError
from lpharness.results.figures import Figures, Stage, Transition
from lpharness.results.folder import TrialFolder
from lpharness.results.model import (
    Build,
    CheckResult,
    Evidence,
    Margin,
    Provenance,
    Trial,
    TrialId,
    Verdict,
)
from lpharness.store import Store, open_store
from lpharness.store.add import Source, put
from lpharness.store.entry import Entry, make_entry
from lpharness.store.measures import measures
from lpharness.store.runs import tag

_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
_KERNELS = tuple(
    (f"debian:{series}-{flavour}", f"{series}.0-%d-{flavour}-amd64")
    for series in ("6.1", "6.12")
    for flavour in ("cloud", "amd64", "rt")
)
_WORKLOADS = ("idle", "syscall-hammer", "fork-storm", "fs-churn")
_CHECKS = (
    "steps", "healthy", "no_reboot", "transition", "redirected", "consistent", "under_load",
    "heartbeat", "unloaded", "resources",
)  # fmt: skip
_S = 1_000_000_000


class Shape(Struct, frozen=True, kw_only=True):
    """How many of what."""

    cases: int = 20
    kernels: int = len(_KERNELS)
    workloads: int = 2
    repeats: int = 2
    failing: float = 0.02
    """The share of trials that fail."""
    silent: float = 0.01
    """The share that nobody could say anything of."""


class Lived:
    """Gives made-up trials folders, all with the timeline and console of one that was tried."""

    def __init__(self, like: TrialFolder, place: Path) -> None:
        """Take a trial and the folder that is to hold the others.

        Raises:
            InputError: the trial has no timeline.
        """
        if not like.timeline_path.is_file():
            raise InputError(f"{like.path} has no timeline", hint="name a trial's own folder")
        self._like, self._place, self._count = like, place, 0

    def give(self, entry: Entry) -> Entry:
        """Return a made-up trial with a folder."""
        self._count += 1
        path = self._place / str(self._count)
        path.mkdir(parents=True)
        folder = TrialFolder(path)
        folder.write(entry.trial)
        folder.timeline_path.symlink_to(self._like.timeline_path.absolute())
        if self._like.console_path.is_file():
            folder.console_path.symlink_to(self._like.console_path.absolute())
        return replace(entry, folder=str(path))


def fill(
    store: Store,
    trials: int,
    *,
    shape: Shape | None = None,
    seed: int = 1,
    lived: Lived | None = None,
) -> list[str]:
    """Put made-up runs of so many trials in all into a store, each a release; return their names.

    The same arguments come to the same trials.

    Args:
        store: where to.
        trials: how many.
        shape: of each run.
        seed: of what is drawn.
        lived: what gives each of them a folder, with a timeline; none has one by default.
    """
    shape, dice = shape or Shape(), random.Random(seed)  # noqa: S311 — nothing secret
    per_run = shape.cases * shape.kernels * shape.workloads * shape.repeats
    names = []
    for number, begun in enumerate(range(0, trials, per_run), 1):
        at = _BEGAN + timedelta(days=7 * number)
        source = Source(
            key=f"{seed:08x}{number:08x}".ljust(32, "0"), created_at=at, name=f"made-up-{number}"
        )
        wanted = min(per_run, trials - begun)
        made = itertools.islice(_entries(shape, number, at, dice), wanted)
        put(store, source, [lived.give(entry) if lived else entry for entry in made])
        tag(store, f"v{number}", source.key)
        names.append(f"v{number}")
    return names


def _entries(shape: Shape, release: int, at: datetime, dice: random.Random) -> Iterator[Entry]:
    matrix = itertools.product(
        range(shape.cases),
        _KERNELS[: shape.kernels],
        _WORKLOADS[: shape.workloads],
        range(shape.repeats),
    )
    for number, (case, (spec, kernel), workload, repeat) in enumerate(matrix):
        id_ = TrialId(
            case=f"made-up-{case + 1:02}",
            kernel=kernel % (50 + release),
            workload=workload,
            repeat=repeat,
        )
        chance = dice.random()
        verdict = (
            Verdict.FAIL
            if chance < shape.failing
            else Verdict.ERROR
            if chance < shape.failing + shape.silent
            else Verdict.PASS
        )
        yield entry(id_, verdict, at + timedelta(seconds=20 * number), spec=spec, dice=dice)


def entry(
    id_: TrialId,
    verdict: Verdict,
    at: datetime,
    *,
    spec: str = "debian:6.1-cloud",
    dice: random.Random | None = None,
    slower: float = 1.0,
    module: str = "",
    cves: tuple[str, ...] | None = None,
) -> Entry:
    """Return one made-up trial.

    Args:
        id_: what it is of.
        verdict: what it came to.
        at: when it was started.
        spec: the kernel as it was asked for.
        dice: what draws its measures.
        slower: what its times are multiplied and its throughput divided by.
        module: the livepatch's checksum; empty for that of the case.
        cves: what the case heals; ``None`` for one of its own.
    """
    dice = dice or random.Random(id_.slug)  # noqa: S311
    figures = _figures(id_, dice, slower)
    number = sum(id_.case.encode())
    trial = Trial(
        id=id_,
        verdict=verdict,
        reason="10 checks pass" if verdict is Verdict.PASS else "made up: the transition hung",
        checks=_checks(verdict, dice.uniform(0.004, 0.009) * slower),
        build=Build(verdict=Verdict.PASS, seconds=0.3),
        provenance=_provenance(id_, spec, module or f"{number:064x}"),
        phases={"boot": 1.2, "load": 0.5, "steady": 2.0, "after": 2.0},
        seconds=dice.uniform(8, 30),
        started_at=at.isoformat(timespec="seconds"),
        finished=True,
    )
    made = make_entry(trial, tuple(measures(trial, figures)))
    found = (f"CVE-2026-{number:05}",) if cves is None else cves
    return replace(made, title=f"A made-up case, {id_.case}", cves=found)


def _figures(id_: TrialId, dice: random.Random, slower: float) -> Figures:
    def stage(share: float) -> Stage:
        return Stage(
            per_second=9000 * share * dice.lognormvariate(0, 0.05) / slower,
            longest_gap_s=0.02 / share * dice.lognormvariate(0, 0.2) * slower,
        )

    took = 0.8 * dice.lognormvariate(0, 0.15) * slower
    patch = f"lph_{id_.case.replace('-', '_')}"
    return Figures(
        how="restore",
        start_s=0.35,
        transitions=(
            Transition(
                patch=patch, direction="patching", began_ns=0, ended_ns=int(took * _S),
                ended="completed",
            ),
            Transition(
                patch=patch, direction="unpatching", began_ns=9 * _S,
                ended_ns=9 * _S + int(took * 0.4 * _S), ended="completed",
            ),
        ),
        before=stage(1), during=stage(0.8), between=stage(0.97), after=stage(1),
    )  # fmt: skip


def _checks(verdict: Verdict, stand_still: float) -> tuple[CheckResult, ...]:
    margin = Margin(name="a CPU's stand-still", measured=stand_still, bound=0.1)
    evidence = Evidence(what="made up", seen="nothing was looked at", good=True, margin=margin)
    return tuple(
        CheckResult(
            check=name,
            verdict=verdict if name == "transition" else Verdict.PASS,
            summary="made up",
            evidence=(evidence,) if name == "heartbeat" else (),
        )
        for name in _CHECKS
    )


def _provenance(id_: TrialId, spec: str, module: str) -> Provenance:
    return Provenance(
        lpharness="0.1.0",
        kernel_release=id_.kernel,
        kernel_origin=spec,
        kernel_package=f"linux-image-{id_.kernel}",
        kernel_version="0.0-made-up",
        kernel_sha256=f"{sum(id_.kernel.encode()):064x}",
        image="minimal",
        image_identity="made up",
        modules={f"lph_{id_.case.replace('-', '_')}": module},
        backend=id_.backend,
        accelerator="tcg",
        started_by="restore",
        cpus=2,
        memory_mb=512,
        host="made up",
    )


if __name__ == "__main__":
    with open_store(sys.argv[1], create=True) as opened:
        sys.stdout.write(f"{', '.join(fill(opened, int(sys.argv[2])))}\n")
