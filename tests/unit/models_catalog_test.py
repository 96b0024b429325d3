"""Which models there are, and which cases they cannot be asked to try."""

from __future__ import annotations

import pytest

from lpharness.base.errors import InputError
from lpharness.cases import load
from lpharness.models import known_models, require_models, unfit
from lpharness.run import Request, plan_run


def test_the_five_models() -> None:
    assert sorted(known_models()) == ["hybrid", "immediate", "kgraft", "kpatch", "ksplice"]


def test_an_unknown_model_is_refused_before_anything_is_fetched() -> None:
    with pytest.raises(InputError, match="no model 'kgrift'") as caught:
        require_models(["kpatch", "kgrift"])
    assert "kgraft" in (caught.value.hint or "")
    request = Request(cases=(load("cmdline"),), kernels=("tree:/nowhere",), models=("kgrift",))
    with pytest.raises(InputError, match="no model 'kgrift'"):
        plan_run(request)


def test_what_only_the_kernels_own_model_can_do() -> None:
    several, target = load("atomic-replace"), load("module-function")
    late = next(variant for variant in target.variants if variant.target == "after")
    early = next(variant for variant in target.variants if variant.target == "before")
    assert "one at a time" in unfit(several, None, "kpatch")
    assert "not what comes later" in unfit(target, late, "kgraft")
    assert unfit(target, early, "kgraft") == ""
    assert unfit(load("cmdline"), None, "immediate") == ""
    assert unfit(several, None, "hybrid") == unfit(target, late, "hybrid") == ""
