"""From a folder with ``case.toml`` to a `Case` that has been checked as far as data can be."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from lpharness.base.errors import InputError
from lpharness.base.resources import data_dir
from lpharness.cases.keys import refuse_unknown_keys
from lpharness.cases.model import Case
from lpharness.cases.rules import check
from lpharness.cases.toml import convert, read_toml

FILE_NAME = "case.toml"
_LOADER_ONLY = frozenset({"name", "folder"})


def bundled() -> list[str]:
    """Return the names of the cases that travel with lpharness, sorted."""
    return [folder.name for folder in cases_in(data_dir("patches"))]


def cases_in(folder: Path) -> list[Path]:
    """Return the folders of the cases in a folder, by name."""
    return sorted(file.parent for file in folder.glob(f"*/{FILE_NAME}"))


def tagged(tags: Collection[str], among: Sequence[Case] | None = None) -> list[Case]:
    """Return the cases that have one of some tags.

    Args:
        tags: at least one.
        among: the cases to choose from; the bundled ones unless given.

    Raises:
        InputError: none has one of them; the message names the tags that there are.
    """
    cases = [load(name) for name in bundled()] if among is None else among
    found = [case for case in cases if not set(tags).isdisjoint(case.tags)]
    if not found:
        there = sorted({tag for case in cases for tag in case.tags})
        raise InputError(
            f"no case is tagged {' or '.join(tags)}",
            hint=f"there are {', '.join(there)}" if there else "none has a tag",
        )
    return found


def load(name_or_path: str | Path) -> Case:
    """Read and check a case.

    Args:
        name_or_path: the name of a bundled case, a case's folder, or its ``case.toml``.

    Raises:
        InputError: there is no such case, or its file says something that cannot be; the message
            names the file and the key.
    """
    file = _find(name_or_path)
    raw = read_toml(file, "a case")
    refuse_unknown_keys(file, raw, Case, hidden=_LOADER_ONLY)
    _translate_any(raw)
    folder = file.parent
    case = convert(file, raw, Case, manual="docs/cases.md")
    case = msgspec.structs.replace(case, name=folder.name, folder=folder)
    check(case, file)
    return case


def _find(name_or_path: str | Path) -> Path:
    """Return the ``case.toml`` meant: a bundled name wins unless it is written as a path."""
    text = str(name_or_path)
    if "/" not in text and text in bundled():
        return (data_dir("patches") / text / FILE_NAME).resolve()
    path = Path(name_or_path)
    file = path / FILE_NAME if path.is_dir() else path
    if file.is_file():
        return file.resolve()
    if path.is_dir():
        raise InputError(
            f"{path}: no {FILE_NAME} in this folder",
            hint="`lpharness case new NAME` writes a case that builds and runs",
        )
    near = difflib.get_close_matches(text, bundled(), 1)
    raise InputError(
        f"no case {text!r}: neither bundled nor a folder",
        hint=f"did you mean {near[0]}?" if near else "`lpharness case list` shows what there is",
    )


def _translate_any(raw: dict[str, Any]) -> None:
    """Turn ``exit = "any"`` into ``None``, which TOML cannot write."""
    for outcome in _outcomes(raw):
        if isinstance(outcome, dict) and outcome.get("exit") == "any":
            outcome["exit"] = None


def _outcomes(raw: dict[str, Any]) -> Iterator[object]:
    """Yield the tables that say how a command must come out, whatever shape they have."""
    probes = raw.get("probe")
    for probe in probes if isinstance(probes, list) else ():
        states = probe.get("state") if isinstance(probe, dict) else None
        yield from states.values() if isinstance(states, dict) else ()
    actions = raw.get("action")
    yield from actions if isinstance(actions, list) else ()
    flaw = raw.get("flaw")
    if isinstance(flaw, dict):
        yield flaw.get("patched")
        signs = flaw.get("unpatched")
        yield signs.get("outcome") if isinstance(signs, dict) else None
