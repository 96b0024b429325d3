"""Reading the corpus: folders ``CLASS/FAULT`` with a ``fault.toml``."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from lpharness.base.errors import InputError
from lpharness.base.resources import data_dir
from lpharness.bench.faults.model import BUILD, COMMAND, Fault
from lpharness.bench.faults.plants import PLANTS
from lpharness.checks import CHECKS
from lpharness.results.model import Verdict

FILE_NAME = "fault.toml"
_LATER_CHECKS = (COMMAND, BUILD, "harness")


def corpus(folder: Path | None = None, classes: Sequence[str] = ()) -> list[Fault]:
    """Return the faults below a folder, by name; those that come with lpharness by default.

    Raises:
        InputError: there is none, or a file says something that cannot be.
    """
    root = folder or data_dir("tests/faults")
    faults = [_read(file, root) for file in sorted(root.glob(f"*/*/{FILE_NAME}"))]
    there = sorted({fault.class_ for fault in faults})
    if unknown := [name for name in classes if name not in there]:
        hint = f"there are {', '.join(there)}" if there else "there is none"
        raise InputError(f"{root}: no class of faults {unknown[0]!r}", hint=hint)
    chosen = [fault for fault in faults if not classes or fault.class_ in classes]
    if not chosen:
        raise InputError(f"{root}: no fault in it", hint=f"a fault is a folder with a {FILE_NAME}")
    return chosen


def _read(file: Path, root: Path) -> Fault:
    try:
        raw = tomllib.loads(file.read_text())
        fault = msgspec.convert(raw, Fault)
    except (OSError, ValueError) as error:  # msgspec's and tomllib's errors are ValueErrors
        raise InputError(f"{file}: {error}") from None
    name = file.parent.relative_to(root).as_posix()
    fault = msgspec.structs.replace(fault, name=name, folder=file.parent)
    for what in _faulty(fault, file):
        raise InputError(f"{file}: {what}")
    return fault


def _faulty(fault: Fault, file: Path) -> list[str]:
    """Return what cannot be in a fault's file."""
    found = []
    if fault.check not in (*CHECKS, *_LATER_CHECKS):
        found.append(f"check: {fault.check!r} is none of {', '.join((*CHECKS, *_LATER_CHECKS))}")
    if fault.verdict not in (Verdict.FAIL, Verdict.ERROR, Verdict.PASS):
        found.append(f"verdict: {fault.verdict} is not what a fault can come to")
    if not fault.evidence:
        found.append("evidence: is empty: what must be shown?")
    for pattern in fault.evidence:
        try:
            re.compile(pattern)
        except re.error as error:
            found.append(f"evidence: {pattern!r}: {error}")
    if fault.plant and fault.plant not in PLANTS:
        found.append(f"plant: {fault.plant!r} is none of {', '.join(sorted(PLANTS))}")
    if bool(fault.case) == (file.parent / "case.toml").is_file():
        found.append("case: name a bundled case, or put a case.toml beside this file")
    return found
