"""Which models there are, and what a case must not ask of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lpharness.base.errors import InputError
from lpharness.base.resources import data_dir
from lpharness.cases.model import Case, Variant
from lpharness.checks.models import HYBRID

_DEFINES = "const struct lph_model lph_model"


def model_sources() -> dict[str, Path]:
    """Return the C file of each model of ours by the model's name."""
    files = sorted(data_dir("models").glob("*.c"))
    return {file.stem: file for file in files if _DEFINES in file.read_text()}


def known_models() -> tuple[str, ...]:
    """Return the names of all models."""
    return (*model_sources(), HYBRID)


def require_models(names: Iterable[str]) -> None:
    """Refuse the name of a model that there is not.

    Raises:
        InputError: one of them is unknown.
    """
    known = known_models()
    if unknown := [name for name in names if name not in known]:
        raise InputError(f"no model {unknown[0]!r}", hint=f"there are {', '.join(known)}")


def unfit(case: Case, variant: Variant | None, model: str) -> str:
    """Say why a case cannot be tried under a model; empty if it can."""
    if model == HYBRID:
        return ""
    if len(case.modules) > 1:
        return f"the case loads {len(case.modules)} patches, {model} takes one at a time"
    if variant is not None and variant.target == "after":
        return f"{model} patches what is loaded, not what comes later"
    if case.expect.force:
        return f"{model} knows no force"
    return ""
