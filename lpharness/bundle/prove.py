"""Holding trials to what a bundle promises: each passed, on evidence, also by today's checks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from lpharness import __version__
from lpharness.base.architecture import of_elf
from lpharness.base.errors import InputError
from lpharness.bundle.choose import Chosen
from lpharness.bundle.model import Proof, ProvenKernel, ProvenModule, ProvenTrial
from lpharness.bundle.modules import find_module
from lpharness.cases.model import Case
from lpharness.checks.rejudge import rejudge
from lpharness.checks.replay import load_recording
from lpharness.elf.livepatch import read_livepatch
from lpharness.results.folder import TrialFolder
from lpharness.results.model import CheckResult, Trial, Verdict

_PRODUCTION_MODEL = "hybrid"


class _Tried(NamedTuple):
    """A trial as it was recorded, and as today's checks judge it."""

    folder: TrialFolder
    trial: Trial
    again: Trial


def prove(chosen: Sequence[Chosen], given: Sequence[Path] = ()) -> tuple[Proof, dict[str, Path]]:
    """Return what is proven, and where each file of the bundle is now, by its path there.

    Args:
        chosen: all trials of one case.
        given: files of modules, where the cache may no longer have them.

    Raises:
        InputError: a trial did not pass, was not finished, lacks evidence, or does not say what
            exactly was tried; or a module is gone.
    """
    tried = [_Tried(folder, trial, rejudge(folder.path)[0]) for folder, trial in chosen]
    _refuse_unproven(tried)
    case = load_recording(tried[0].folder.path).case
    _refuse_unfit(case, tried)
    files: dict[str, Path] = {}
    kernels = []
    for release in sorted({one.trial.id.kernel for one in tried}):
        on_it = [one for one in tried if one.trial.id.kernel == release]
        kernels.append(_kernel(release, on_it, given, files))
    proof = Proof(
        case=tried[0].trial.id.case,
        title=case.title,
        references=case.references,
        lpharness=__version__,
        kernels=tuple(kernels),
    )
    return proof, files


def _refuse_unproven(tried: Sequence[_Tried]) -> None:
    troubles = [(one.trial.id.slug, why) for one in tried if (why := _unproven(one))]
    if not troubles:
        return
    slug, why = troubles[0]
    others = f" (and {len(troubles) - 1} more)" if len(troubles) > 1 else ""
    raise InputError(
        f"not proven: {slug} {why}{others}",
        hint="a bundle is made of trials that all pass; `lpharness judge RESULTS -e` shows more",
    )


def _unproven(one: _Tried) -> str:
    """Return why a trial proves nothing; empty if it does."""
    trial, again = one.trial, one.again
    if trial.id.model != _PRODUCTION_MODEL:
        return f"was made under the model {trial.id.model}, which is not the kernel's own"
    if not trial.finished:
        return f"did not come to its end: {trial.reason}"
    if trial.verdict is not Verdict.PASS:
        return f"is {trial.verdict}: {trial.reason}"
    if not trial.provenance.kernel_build:
        return "does not say which build of the kernel it was; run it again"
    if again.verdict is not Verdict.PASS:
        return f"is {again.verdict} by today's checks: {again.reason}"
    if missing := [check.check for check in again.checks if _lacks_evidence(check)]:
        return f"passes {missing[0]} without evidence"
    return ""


def _lacks_evidence(check: CheckResult) -> bool:
    return check.verdict is Verdict.PASS and not any(piece.good for piece in check.evidence)


def _refuse_unfit(case: Case, tried: Sequence[_Tried]) -> None:
    """Refuse a case whose trials prove more, or something else, than one livepatch by itself."""
    name = tried[0].trial.id.case
    loaded = {module for one in tried for module in one.trial.provenance.modules}
    if not loaded:
        raise InputError(f"{name} tried no livepatch", hint="a selftest has none to bundle")
    if len(loaded) > 1:
        raise InputError(
            f"{name} loads {len(loaded)} livepatches ({', '.join(sorted(loaded))}), one after "
            "another, and a bundle is of one by itself",
            hint="write a case that loads only what is to go into production",
        )
    if case.expect.force:
        raise InputError(f"{name} forces its transition, which is not for production")


def _kernel(
    release: str, tried: Sequence[_Tried], given: Sequence[Path], files: dict[str, Path]
) -> ProvenKernel:
    """Return one kernel's proof, and add its files to those of the bundle."""
    told = [one.trial.provenance for one in tried]
    first = told[0]
    _refuse_differing("builds of the kernel", [one.kernel_build for one in told], release)
    _refuse_differing("modules", [sha for one in told for sha in one.modules.values()], release)
    ((name, sha256),) = first.modules.items()
    file = find_module(name, sha256, [*given, *(one.folder.modules_path for one in tried)])
    path = f"modules/{release}/{name}.ko"
    files[path] = file
    livepatch = read_livepatch(file)
    return ProvenKernel(
        release=release,
        build=first.kernel_build,
        machine=target.machine if (target := of_elf(livepatch.machine)) else livepatch.machine,
        origin=first.kernel_origin,
        package=first.kernel_package,
        version=first.kernel_version,
        sha256=first.kernel_sha256,
        module=ProvenModule(
            name=name,
            path=path,
            sha256=sha256,
            source_sha256=first.module_sources.get(name, ""),
            compiler=first.compiler,
            vermagic=livepatch.vermagic,
            replaces=livepatch.patch.replace if livepatch.patch else None,
            functions=tuple(f"{f.object}:{f.old}" for f in livepatch.functions),
        ),
        trials=tuple(_trial(one, files) for one in tried),
    )


def _refuse_differing(what: str, found: Sequence[str], release: str) -> None:
    if len(set(found)) > 1:
        raise InputError(
            f"the trials on {release} are of different {what}: {', '.join(sorted(set(found)))}",
            hint="bundle the trials of one of them: name their run",
        )


def _trial(one: _Tried, files: dict[str, Path]) -> ProvenTrial:
    name, number = f"trials/{one.folder.path.name}", 1
    while f"{name}/trial.json" in files:  # the same trial, of another run
        number += 1
        name = f"trials/{one.folder.path.name}~{number}"
    for file in _recorded(one.folder, one.trial):
        files[f"{name}/{file.relative_to(one.folder.path)}"] = file
    return ProvenTrial(
        path=name,
        workload=one.trial.id.workload,
        variant=one.trial.id.variant,
        backend=one.trial.id.backend,
        accelerator=one.trial.provenance.accelerator,
        image=one.trial.provenance.image,
        started_at=one.trial.started_at,
        verdict=one.again.verdict.value,
        checks={check.check: check.verdict.value for check in one.again.checks},
    )


def _recorded(folder: TrialFolder, trial: Trial) -> list[Path]:
    """Return the files with which `lpharness judge` can judge a trial again."""
    names = ("trial.json", "case.json", trial.timeline, trial.console)
    files = [folder.path / name for name in names]
    control = [folder.control.timeline_path, folder.control.console_path]
    return [file for file in (*files, *control) if file.is_file()]
