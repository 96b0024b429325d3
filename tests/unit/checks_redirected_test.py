"""Redirected: behaviour, ftrace, sysfs and counted calls, each spoilt in turn."""

from typing import Any

import msgspec
import pytest
from checks_clauses import (
    AFTER,
    ERROR,
    FAIL,
    PASS,
    STEADY,
    Clause,
    both,
    check,
    enabled,
    new,
    old,
    vmlinux,
)
from checks_samples import (
    MODULE,
    OLD,
    assert_verdict,
    between,
    change,
    clean,
    drop,
    insert,
)

from lpharness.cases.model import Outcome, Text, Variant
from lpharness.checks import PatchedFunction, Recording
from lpharness.checks.probing import mismatches
from lpharness.timeline.events import (
    CallsCounted,
    CallSeen,
    EnabledFunctions,
    ObjectState,
    PatchSysfs,
    Probed,
    TracingUnavailable,
    Vitals,
)


def sysfs(**changes: Any) -> Recording:
    return change(clean(), PatchSysfs, STEADY, **changes)


@check(
    [
        ("redirected", lambda: change(clean(), Probed, between(0, 1), stdout="patched"), FAIL,
         "probe shown in baseline"),
        ("redirected", lambda: change(clean(), Probed, STEADY, stdout="original"), FAIL,
         "stdout is not 'patched'"),
        ("redirected", lambda: change(clean(), Probed, STEADY, exit_status=1), FAIL,
         "exit status is not 0"),
        ("redirected", lambda: change(clean(), Probed, AFTER, stdout="patched"), FAIL,
         "probe shown in after"),
        ("redirected", lambda: drop(clean(), Probed, STEADY), ERROR,
         "probe shown in steady: was not run"),
        ("redirected", lambda: drop(clean(), Probed, between(0, 1)), ERROR, "was not run"),
        ("redirected", lambda: change(clean(), EnabledFunctions, STEADY, functions=()), FAIL,
         "not listed"),
        ("redirected", lambda: change(clean(), EnabledFunctions, STEADY,
                                      functions=(enabled(ip_modify=False),)), FAIL, "IPMODIFY"),
        ("redirected", lambda: change(clean(), EnabledFunctions, STEADY,
                                      functions=(enabled(handlers=("my_tracer",)),)), FAIL,
         "not livepatch's handler but my_tracer"),
        ("redirected", lambda: change(clean(), EnabledFunctions, STEADY,
                                      functions=(enabled(handlers=()),)), PASS, OLD),
        # as seen on 6.1 and 6.12 while a tracer or a kprobe is on the function as well
        ("redirected", lambda: change(clean(), EnabledFunctions, STEADY, functions=(
            enabled(handlers=("arch_ftrace_ops_list_func",)),)), PASS, OLD),
        ("redirected", lambda: drop(clean(), EnabledFunctions, STEADY), ERROR, "was not read"),
        ("redirected", lambda: sysfs(present=False), FAIL, "there is none"),
        ("redirected", lambda: sysfs(enabled=False), FAIL, "enabled 0, transition 0"),
        ("redirected", lambda: sysfs(transition=True), FAIL, "enabled 1, transition 1"),
        ("redirected", lambda: sysfs(enabled=None), ERROR, "could not be read"),
        ("redirected", lambda: sysfs(objects={}), FAIL, "no folder vmlinux"),
        ("redirected", lambda: sysfs(objects=vmlinux(True, "other,1")), FAIL,
         f"no folder {OLD},1"),
        ("redirected", lambda: sysfs(objects=vmlinux(False, f"{OLD},1")), FAIL, "patched 0"),
        ("redirected", lambda: sysfs(objects=vmlinux(None, f"{OLD},1")), PASS, OLD),
        ("redirected", lambda: drop(clean(), PatchSysfs, STEADY), ERROR, "was not read"),
        ("redirected", lambda: change(clean(), CallsCounted, both(old, STEADY), hits=2), FAIL,
         "2 entered the original"),
        ("redirected", lambda: change(clean(), CallsCounted, both(new, STEADY), hits=0), ERROR,
         "driven, but none was counted"),
        ("redirected", lambda: change(clean(), CallsCounted, both(new, STEADY), hits=0, missed=9),
         ERROR, "all 9 into lph_show were missed"),
        ("redirected", lambda: change(clean(), CallsCounted, both(new, STEADY), hits=0,
                                      driven=False), PASS, OLD),
        ("redirected", lambda: change(clean(), CallsCounted, both(new, AFTER), hits=1), FAIL,
         "1 entered lph_show"),
        ("redirected", lambda: change(clean(), CallsCounted, both(new, between(0, 1)), hits=1),
         FAIL, "1 entered lph_show"),
        ("redirected", lambda: change(clean(), CallsCounted, both(old, AFTER), hits=0), ERROR,
         "driven, but none was counted"),
        ("redirected", lambda: drop(clean(), CallsCounted, both(old, STEADY)), ERROR,
         "were not counted"),
        ("redirected", lambda: drop(clean(), CallsCounted, both(new, STEADY)), ERROR,
         "were not counted"),
        ("redirected", lambda: msgspec.structs.replace(clean(), functions=()), ERROR,
         "none are known"),
    ]
)  # fmt: skip
def test_redirected(clause: Clause) -> None:
    assert_verdict(clause[0], clause[1](), clause[2], clause[3])


def test_a_drive_that_never_reached_the_function_proves_nothing() -> None:
    never = change(clean(), CallsCounted, hits=0)
    assert_verdict("redirected", never, ERROR, "in the baseline neither")


def test_new_code_that_no_call_was_ever_seen_to_enter_proves_nothing() -> None:
    idle = change(clean(), CallsCounted, both(new, STEADY), hits=0, driven=False)
    idle = drop(idle, CallSeen, new)
    assert_verdict("redirected", idle, ERROR, "none was ever seen to enter lph_show")
    blind = drop(idle, CallsCounted, new)
    fields = {"function": OLD, "side": "new", "reason": "Invalid argument"}
    assert_verdict("redirected", insert(blind, 0.9, TracingUnavailable, **fields), PASS, OLD)


def test_a_patch_without_functions_patches_nothing() -> None:
    empty = msgspec.structs.replace(sysfs(objects={}), functions=())
    assert_verdict("redirected", empty, FAIL, "sysfs shows none: it patches nothing")


def test_a_redirection_must_be_there_at_the_beginning_and_at_the_end() -> None:
    for lost, at in (((), 3.7), ((enabled(ip_modify=False),), 2.55)):
        undone = insert(clean("idle"), at, EnabledFunctions, functions=lost)
        assert_verdict("redirected", undone, FAIL, f"enabled_functions of {OLD}")


def test_calls_that_the_kernel_would_not_let_us_count_are_no_gap_of_ours() -> None:
    blind = drop(clean(), CallsCounted)
    for side in ("old", "new"):
        fields = {"function": OLD, "side": side, "reason": "Invalid argument"}
        blind = insert(blind, 0.9, TracingUnavailable, **fields)
    result = assert_verdict("redirected", blind, PASS, OLD)
    assert any("Invalid argument" in evidence.seen for evidence in result.evidence)


ZRAM = PatchedFunction(module=MODULE, object="zram", old=OLD, sympos=0, new="lph_show")


def test_a_function_of_a_module_that_is_not_loaded_yet_is_not_expected() -> None:
    early = msgspec.structs.replace(clean(), functions=(ZRAM,))
    early = change(early, EnabledFunctions, functions=())
    early = change(early, PatchSysfs, STEADY, objects={"zram": ObjectState(False, (f"{OLD},1",))})
    result = assert_verdict("redirected", early, PASS, OLD)
    assert any(evidence.seen == "zram is not loaded yet" for evidence in result.evidence)
    loaded = change(early, Vitals, STEADY, modules=("zram", MODULE))
    assert_verdict("redirected", loaded, FAIL, "not listed")


def test_originals_in_a_module_that_comes_late_cannot_be_counted() -> None:
    late = msgspec.structs.replace(clean(), functions=(ZRAM,))
    late = change(late, Vitals, STEADY, modules=("zram", MODULE))
    late = change(late, PatchSysfs, STEADY, objects={"zram": ObjectState(True, (f"{OLD},1",))})
    late = drop(late, CallsCounted, old)
    assert_verdict("redirected", late, ERROR, "were not counted")
    variant = Variant(name="patch-first", target="after")
    late = msgspec.structs.replace(
        late,
        case=msgspec.structs.replace(late.case, variants=(variant,)),
        id=msgspec.structs.replace(late.id, variant="patch-first"),
    )
    assert_verdict("redirected", late, PASS, OLD)


@pytest.mark.parametrize(
    ("text", "said_", "words"),
    [
        (Text(equals="a"), "a\n", ""),
        (Text(equals="a"), "ab", "is not 'a'"),
        (Text(contains="b"), "abc", ""),
        (Text(contains="x"), "abc", "lacks 'x'"),
        (Text(lacks="x"), "abc", ""),
        (Text(lacks="b"), "abc", "contains 'b'"),
        (Text(matches="^b$"), "a\nb\nc", ""),
        (Text(matches="^x$"), "a\nb\nc", "does not match '^x$'"),
        (Text(contains="a", lacks="b"), "ab", "contains 'b'"),
    ],
)
def test_probe_conditions(text: Text, said_: str, words: str) -> None:
    event = Probed(
        host_ns=0, probe="p", state="original", exit_status=3, stdout="", stderr=said_, seconds=0
    )
    faults = mismatches(Outcome(exit=None, stderr=text), event)
    assert ("; ".join(faults) == "") == (words == "")
    assert words in "; ".join(faults)
    assert mismatches(Outcome(exit=0, stderr=text), event)[0] == "exit status is not 0"
