"""Which trials a bundle is to be made of: those of one case, in the runs that are named."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path

from lpharness.base.errors import InputError
from lpharness.cases import load
from lpharness.results.flaky import counting
from lpharness.results.folder import LATEST, RESULTS, RunFolder, TrialFolder
from lpharness.results.model import Trial, Verdict

Chosen = tuple[TrialFolder, Trial]


def choose(what: Sequence[str], kernels: Sequence[str] = ()) -> list[Chosen]:
    """Return the trials that are meant, by their names.

    Args:
        what: folders of runs or of trials, and at most one case (its name, or its folder);
            without a folder the newest run is meant.
        kernels: releases, or patterns of them: each must have been tried, others are left out.

    Raises:
        InputError: nothing is there, a document cannot be read, or it is not clear which case.
    """
    folders = [Path(word) for word in what if _is_results(Path(word))]
    cases = list(dict.fromkeys(_case_name(word) for word in what if Path(word) not in folders))
    if len(cases) > 1:
        raise _not_one(cases)
    found = [pair for folder in folders or [Path(RESULTS) / LATEST] for pair in _trials(folder)]
    if cases:
        found = [pair for pair in found if pair[1].id.case == cases[0]]
    if not found:
        where = ", ".join(map(str, folders)) or f"{RESULTS}/{LATEST}"
        wanted = f" of {cases[0]}" if cases else ""
        raise InputError(
            f"{where} holds no trial{wanted}", hint="`lpharness run` makes them: try it first"
        )
    names = sorted({trial.id.case for _, trial in found})
    if len(names) > 1:
        raise _not_one(names)
    return sorted(_on(found, kernels), key=lambda pair: (pair[1].id.slug, pair[1].started_at))


def _is_results(path: Path) -> bool:
    return (path / "run.json").is_file() or (path / "trial.json").is_file()


def _case_name(word: str) -> str:
    try:
        return load(word).name
    except InputError as error:
        if not Path(word).exists():
            raise
        raise InputError(
            f"{word} holds neither results nor a case", hint="name a folder that `run` wrote"
        ) from error


def _trials(folder: Path) -> list[Chosen]:
    """Return a run's trials, without attempts that nobody could judge and that were made again."""
    alone = TrialFolder(folder)
    if alone.document_path.is_file():
        return [(alone, alone.load())]
    loaded = RunFolder.open(folder).loaded()
    last = {trial.id for trial in counting(trial for _, trial in loaded)}
    return [
        (place, trial)
        for place, trial in loaded
        if trial.id in last or trial.verdict is not Verdict.ERROR
    ]


def _on(found: list[Chosen], kernels: Sequence[str]) -> list[Chosen]:
    for wanted in kernels:
        if not any(fnmatch(trial.id.kernel, wanted) for _, trial in found):
            there = ", ".join(sorted({trial.id.kernel for _, trial in found}))
            raise InputError(f"there is no trial on {wanted}", hint=f"there are trials on {there}")
    if not kernels:
        return found
    return [pair for pair in found if any(fnmatch(pair[1].id.kernel, k) for k in kernels)]


def _not_one(names: Sequence[str]) -> InputError:
    return InputError(
        f"these are trials of {len(names)} cases ({', '.join(names)}), and a bundle is of one",
        hint=f"name the case: lpharness bundle {names[0]} …",
    )
