"""Recordings from a trial's folder, so that an old trial can be judged by today's checks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from lpharness.base.errors import InputError
from lpharness.cases.model import Case
from lpharness.checks.contract import PatchedFunction, Recording, Selftest
from lpharness.results.files import write_atomically
from lpharness.results.folder import TrialFolder
from lpharness.results.model import TrialId
from lpharness.timeline.events import Event, GuestStarted

CONTEXT = "case.json"
"""Beside ``trial.json``: what the checks need that neither document nor timeline holds."""


class _Context(Struct, frozen=True, kw_only=True):
    case: Case
    functions: tuple[PatchedFunction, ...]
    selftest: Selftest | None = None
    schema: int = 1


def save_context(
    folder: Path,
    case: Case,
    functions: tuple[PatchedFunction, ...],
    selftest: Selftest | None = None,
) -> None:
    """Write the case as it is tried, and what its modules patch, into a trial's folder.

    The case's folder is left out: it is a place on one machine, and no check needs it.
    """
    kept = msgspec.structs.replace(case, folder=None)
    context = _Context(case=kept, functions=functions, selftest=selftest)
    encoded = msgspec.json.format(msgspec.json.encode(context, enc_hook=str), indent=2)
    write_atomically(folder / CONTEXT, encoded + b"\n")


def load_recording(folder: Path) -> Recording:
    """Read the recording of a trial.

    Raises:
        InputError: a file is missing or broken; names it.
    """
    trial = TrialFolder(folder)
    document = trial.load()
    context = _read_context(folder / CONTEXT)
    events = trial.events()
    return Recording(
        id=document.id,
        case=context.case,
        functions=context.functions,
        events=events,
        console=trial.console(),
        accelerator=_accelerator(events),
        control=control_recording(trial, document.id, context.case),
        selftest=context.selftest,
    )


def kept_case(folder: Path) -> Case | None:
    """Read the case as it was tried; ``None`` where the trial was refused before it began.

    Raises:
        InputError: what is there is broken.
    """
    path = folder / CONTEXT
    return _read_context(path).case if path.is_file() else None


def control_recording(trial: TrialFolder, id_: TrialId, case: Case) -> Recording | None:
    """Read the recording of a trial's control guest; ``None`` if there was none.

    Raises:
        InputError: its timeline is broken.
    """
    events = trial.control.events()
    if not events:
        return None
    return Recording(
        id=id_,
        case=case,
        functions=(),
        events=events,
        console=trial.control.console(),
        accelerator=_accelerator(events),
    )


def _accelerator(events: Sequence[Event]) -> str:
    return next((e.accelerator for e in events if isinstance(e, GuestStarted)), "")


def _read_context(path: Path) -> _Context:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Context, dec_hook=_decode)
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror}",
            hint="`lpharness run` writes it when a trial begins; a trial that was refused has none",
        ) from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a trial's case: {error}") from error


def _decode(kind: type, value: object) -> object:
    return kind(value)
