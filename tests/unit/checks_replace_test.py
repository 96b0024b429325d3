"""One patch replacing another: what goes out, what comes in, what is given back."""

import msgspec
import pytest
from checks_clauses import STEADY, enabled, whats_wrong
from checks_samples import (
    FUNCTION,
    MODULE,
    OLD,
    ask,
    change,
    clean,
    insert,
)

from lpharness.cases.model import ModuleSource
from lpharness.checks import Recording
from lpharness.timeline.events import (
    CallSeen,
    EnabledFunctions,
)


def replacing() -> Recording:
    """The clean trial's module, as the second of two, having replaced one of two functions."""
    recording = clean()
    earlier = [
        msgspec.structs.replace(FUNCTION, module="lph_first", new="first_show"),
        msgspec.structs.replace(FUNCTION, module="lph_first", old="version_show", new="first_ver"),
    ]
    modules = (ModuleSource(name="lph_first"), ModuleSource(name=MODULE, replaces=True))
    return msgspec.structs.replace(
        recording,
        functions=(*earlier, FUNCTION),
        case=msgspec.structs.replace(recording.case, modules=modules),
    )


def test_a_function_that_a_replace_gives_back_must_not_stay_redirected() -> None:
    assert not whats_wrong("redirected", replacing())
    stays = (enabled(), enabled(name="version_show", line="version_show (1) I"))
    wrong = whats_wrong(
        "redirected", change(replacing(), EnabledFunctions, STEADY, functions=stays)
    )
    assert any("version_show, given back by lph_case" in words for words in wrong)


@pytest.mark.parametrize(
    ("function", "module", "side", "at", "fine"),
    [
        (OLD, "lph_first", "new", 1.3, True),  # the earlier patch's version is on its way out
        (OLD, "lph_first", "new", 1.7, False),
        ("version_show", "lph_first", "new", 1.7, False),
        ("version_show", "lph_first", "old", 1.7, True),  # given back: the kernel's own comes in
        ("version_show", "lph_first", "old", 1.3, False),
    ],
)
def test_calls_while_one_patch_replaces_another(
    function: str, module: str, side: str, at: float, fine: bool
) -> None:
    recording = insert(
        replacing(), at, CallSeen, module=module, function=function, side=side, pid=100, comm="cat"
    )
    assert bool(whats_wrong("consistent", recording)) == (not fine)


def test_only_what_is_not_replaced_is_patched_out() -> None:
    asked = [e.what for e in ask("consistent", replacing()).evidence if "end of" in e.what]
    assert asked == [
        "tasks at the end of patching of lph_first",
        "tasks at the end of patching of lph_case",
        "tasks at the end of unpatching of lph_case",
    ]


def test_calls_of_a_function_that_both_patch_are_told_once() -> None:
    told = [e.what for e in ask("redirected", replacing()).evidence if "in baseline" in e.what]
    assert told.count(f"calls of {OLD} in baseline") == 1
