"""Unloaded: whatever a patch may leave behind."""

import msgspec
from checks_clauses import AFTER, ERROR, FAIL, PASS, SKIP, Clause, check, enabled, mark
from checks_samples import (
    FUNCTION,
    MODULE,
    OLD,
    ask,
    assert_verdict,
    between,
    change,
    clean,
    drop,
    expecting,
    insert,
)

from lpharness.checks import Recording
from lpharness.results.model import Verdict
from lpharness.timeline.events import (
    ActionTaken,
    EnabledFunctions,
    FunctionBytes,
    LeftInside,
    ModuleUnloadTried,
    PatchSysfs,
    Probed,
    ShadowVariables,
    Vitals,
)


@check(
    [
        ("unloaded", lambda: change(clean(), ModuleUnloadTried, errno=16), FAIL, "EBUSY"),
        ("unloaded", lambda: drop(clean(), ModuleUnloadTried), ERROR, "was not tried"),
        ("unloaded", lambda: change(clean(), PatchSysfs, between(5, 6), present=True), FAIL,
         "still there"),
        ("unloaded", lambda: drop(clean(), PatchSysfs, between(5, 6)), ERROR, "was not read"),
        ("unloaded", lambda: drop(clean(), PatchSysfs), ERROR, "was never read"),
        ("unloaded", lambda: change(clean(), Vitals, AFTER, modules=(MODULE,)), FAIL,
         "still in /proc/modules"),
        ("unloaded", lambda: drop(clean(), Vitals, AFTER), ERROR, "no vitals of that time"),
        ("unloaded", lambda: change(clean(), EnabledFunctions, AFTER, functions=(enabled(),)), FAIL,
         "still redirected"),
        ("unloaded", lambda: change(clean(), EnabledFunctions, AFTER,
                                    functions=(enabled(ip_modify=False, handlers=("f",)),)), PASS,
         "nothing of the patch is left"),
        ("unloaded", lambda: drop(clean(), EnabledFunctions, AFTER), ERROR, "was not read"),
        ("unloaded", lambda: change(clean(), FunctionBytes, AFTER, hex="e8aabbccdd"), FAIL,
         f"first bytes of {OLD}: e8aabbccdd"),
        ("unloaded", lambda: drop(clean(), FunctionBytes, AFTER), ERROR,
         "were not read in after the unload"),
        ("unloaded", lambda: drop(clean(), FunctionBytes, between(0, 1)), ERROR,
         "were not read in the baseline"),
        ("unloaded", lambda: change(clean(), FunctionBytes, hex=""), ERROR, "could not be read"),
        ("unloaded", lambda: change(clean(), FunctionBytes, hex="", detail="no kcore"), PASS,
         "nothing of the patch is left"),
        ("unloaded", lambda: change(clean(), Probed, AFTER, stdout="patched"), FAIL,
         "probe shown in after"),
        ("unloaded", lambda: drop(clean(), Probed, AFTER), ERROR, "was not run"),
        ("unloaded", lambda: change(clean(), Vitals, AFTER, taint=45056 | 512), FAIL, "W: warning"),
    ]
)  # fmt: skip
def test_unloaded(clause: Clause) -> None:
    assert_verdict(clause[0], clause[1](), clause[2], clause[3])


def test_a_patch_that_was_forced_as_asked_cannot_be_unloaded() -> None:
    forced = expecting(mark("forced"), force=True)
    assert_verdict("unloaded", forced, SKIP, "forced")
    assert ask("unloaded", mark("forced")).verdict is PASS


def test_bytes_of_a_module_that_was_not_there_in_the_baseline_have_nothing_to_match() -> None:
    zram = msgspec.structs.replace(FUNCTION, object="zram")
    absent = msgspec.structs.replace(clean(), functions=(zram,))
    assert_verdict("unloaded", absent, PASS, "nothing of the patch is left")
    loaded = change(absent, Vitals, between(0, 1), modules=("zram",))
    assert_verdict("unloaded", loaded, ERROR, "were not read in the baseline")


def test_a_patch_that_cannot_be_disabled_is_told_in_the_kernels_words() -> None:
    action = f"write 0 to enabled of {MODULE}"
    fields = {"action": action, "detail": "sh: write error: Device or resource busy"}
    assert_verdict("unloaded", insert(clean(), 4.1, ActionTaken, exit_status=0, **fields), PASS, "")
    refused = insert(clean(), 4.1, ActionTaken, exit_status=1, **fields)
    assert_verdict("unloaded", refused, FAIL, f"disabling of {MODULE}: sh: write error: Device")


def test_whoever_is_left_in_code_that_is_gone_is_named() -> None:
    left = change(
        clean(), ModuleUnloadTried, inside=(LeftInside(7, "lph_thread", "lph_thread+0x10/0x20"),)
    )
    words = f"left inside {MODULE}: lph_thread (7) will return to lph_thread+0x10/0x20"
    assert_verdict("unloaded", left, FAIL, words)


def shadows(before: tuple[str, ...], after: tuple[str, ...], detail: str = "") -> Recording:
    recording = insert(clean(), 0.03, ShadowVariables, ids=before)
    return insert(recording, 7.95, ShadowVariables, ids=after, detail=detail)


def test_shadow_variables_must_not_outlive_the_patch() -> None:
    left = shadows(("6c706801",), ("6c706801", "6c706802", "6c706802"))
    assert_verdict("unloaded", left, Verdict.FAIL, "shadow variables: 2 of id 0x6c706802")
    assert_verdict("unloaded", shadows(("a",), ("a",)), Verdict.PASS, "nothing of the patch")
    assert_verdict("unloaded", shadows((), (), "errno 14"), Verdict.PASS, "nothing of the patch")
