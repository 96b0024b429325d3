"""The reference of the livepatch core, rule by rule."""

from __future__ import annotations

import errno

import msgspec
import pytest
from reference_support import ANSWER, NEW, OLD, PAUSE, assert_sound, called, patch

from lpharness.reference import (
    ORIGINAL,
    Kernel,
    PatchState,
    Place,
    Release,
    may_leave,
)

A, B = patch("a", target=True), patch("b")
C = patch("c", replace=True)


@pytest.fixture
def kernel() -> Kernel:
    return Kernel(OLD)


def test_the_newest_on_top_wins_and_leaves_the_one_below(kernel: Kernel) -> None:
    assert (kernel.load(A), kernel.load(B)) == (0, 0)
    assert kernel.reached(PAUSE) == "b"
    assert kernel.write_enabled("b", False) == 0
    assert kernel.reached(PAUSE) == "a"
    assert kernel.unload("b") == 0
    assert_sound(kernel)


def test_one_below_goes_and_the_top_stays(kernel: Kernel) -> None:
    kernel.load(A)
    kernel.load(B)
    assert kernel.write_enabled("a", False) == 0
    assert kernel.reached(PAUSE) == "b"
    assert [each.name for each in kernel.patches] == ["b"]


def test_callbacks_in_order(kernel: Kernel) -> None:
    kernel.load_target("target")
    kernel.load(A)
    assert called(kernel) == [
        "a vmlinux pre_patch", "a target pre_patch", "a vmlinux post_patch", "a target post_patch",
    ]  # fmt: skip
    kernel.unload_target("target")
    assert called(kernel) == ["a target pre_unpatch", "a target post_unpatch"]
    kernel.write_enabled("a", False)
    assert called(kernel) == ["a vmlinux pre_unpatch", "a vmlinux post_unpatch"]


def test_a_sleeper_in_the_old_version_blocks_until_it_leaves(kernel: Kernel) -> None:
    sleeper = kernel.enter("sleeper", PAUSE)
    kernel.load(A)
    assert kernel.transition is not None
    assert kernel.transition.blockers() == [sleeper]
    assert kernel.reached(PAUSE) == "a"
    assert kernel.reached(PAUSE, sleeper) == ORIGINAL
    assert called(kernel) == ["a vmlinux pre_patch"]
    kernel.leave("sleeper")
    kernel.settle()
    assert kernel.transition is None
    assert called(kernel) == ["a vmlinux post_patch"]


def test_a_sleeper_in_a_version_that_stays_blocks_nobody(kernel: Kernel) -> None:
    kernel.enter("old", PAUSE)
    kernel.load(A)
    kernel.signal()  # it calls again, and sleeps in the new version now
    kernel.settle()
    assert kernel.tasks["old"].stack == [(*PAUSE, "a")]
    kernel.load(B)
    assert kernel.transition is not None
    kernel.write_enabled("b", False)
    kernel.settle()
    assert kernel.transition is None


def test_a_reversed_patching_calls_no_pre_unpatch(kernel: Kernel) -> None:
    kernel.enter("sleeper", PAUSE)
    kernel.load(A)
    assert kernel.write_enabled("a", True) == errno.EINVAL
    assert kernel.write_enabled("a", False) == 0
    kernel.settle()
    assert called(kernel) == ["a vmlinux pre_patch", "a vmlinux post_unpatch"]
    assert (kernel.patches, kernel.unload("a")) == ([], 0)


def test_a_reversed_unpatching_ends_enabled(kernel: Kernel) -> None:
    kernel.load(A)
    kernel.enter("sleeper", PAUSE)
    called(kernel)
    kernel.write_enabled("a", False)
    kernel.write_enabled("a", True)
    kernel.settle()
    assert called(kernel) == ["a vmlinux pre_unpatch", "a vmlinux post_patch"]
    assert kernel.patches[0].enabled


def test_one_transition_at_a_time(kernel: Kernel) -> None:
    kernel.load(B)
    kernel.enter("sleeper", PAUSE)
    kernel.load(A)
    assert kernel.load(C) == errno.EBUSY
    assert kernel.write_enabled("b", False) == errno.EBUSY
    assert "c" not in kernel.modules


def test_a_patch_below_others_is_disabled_and_that_reversed(kernel: Kernel) -> None:
    kernel.load(A)
    kernel.enter("sleeper", PAUSE)
    kernel.load(patch("d", kernel=False, target=True))
    kernel.load(B)
    kernel.leave("sleeper")
    kernel.settle()
    kernel.enter("above", PAUSE)
    assert kernel.write_enabled("a", False) == 0
    assert kernel.transition is None  # "above" is in b, which stays


def test_replace_leaves_only_the_newest_and_calls_nobody_else(kernel: Kernel) -> None:
    kernel.load_target("target")
    kernel.load(A)
    called(kernel)
    kernel.enter("sleeper", PAUSE)
    assert kernel.load(C) == 0
    assert kernel.reached(ANSWER) == ORIGINAL  # a nop
    assert [obj.name for obj in kernel.patches[1].objects] == ["vmlinux", "target"]
    assert kernel.write_enabled("a", False) == errno.EBUSY
    kernel.leave("sleeper")
    kernel.settle()
    assert [each.name for each in kernel.patches] == ["c"]
    assert [obj.name for obj in kernel.patches[0].objects] == ["vmlinux"]
    assert called(kernel) == ["c vmlinux pre_patch", "c vmlinux post_patch"]
    assert kernel.unload("a") == 0
    assert_sound(kernel)


def test_a_failing_pre_patch_undoes_what_was_done(kernel: Kernel) -> None:
    kernel.load_target("target")
    assert kernel.load(A, {"target": errno.ENOMEM}) == errno.ENOMEM
    assert called(kernel) == [
        "a vmlinux pre_patch", "a target pre_patch", "a vmlinux post_unpatch",
    ]  # fmt: skip
    assert kernel.is_clean()


def test_a_failing_pre_patch_keeps_the_target_out(kernel: Kernel) -> None:
    kernel.load(patch("d", kernel=False, target=True))
    kernel.load(A)
    called(kernel)
    assert kernel.load_target("target", {"a": errno.ENODEV}) == errno.ENODEV
    assert called(kernel) == [
        "d target pre_patch", "d target post_patch", "a target pre_patch",
        "d target pre_unpatch", "d target post_unpatch",
    ]  # fmt: skip
    assert "target" not in kernel.targets
    assert_sound(kernel)
    assert kernel.load_target("target") == 0


def test_a_target_comes_and_goes_in_a_transition(kernel: Kernel) -> None:
    kernel.enter("sleeper", PAUSE)
    kernel.load(A)
    called(kernel)
    kernel.load_target("target")
    assert called(kernel) == ["a target pre_patch"]
    kernel.unload_target("target")
    assert called(kernel) == ["a target post_unpatch"]


@pytest.mark.parametrize(("version", "number"), [(0, 22), (1, 22), (2, 0), (3, 0)])
def test_states(kernel: Kernel, version: int, number: int) -> None:
    kernel.load(patch("old", states=((7, 2),)))
    states = ((7, version),) if version else ()
    assert kernel.load(patch("new", replace=True, states=states)) == number


def test_refusals(kernel: Kernel) -> None:
    assert kernel.load(msgspec.structs.replace(A, marked=False)) == errno.EINVAL
    assert kernel.load(msgspec.structs.replace(A, objects=())) == errno.EINVAL
    assert kernel.write_enabled("a", False) == errno.ENOENT
    assert kernel.unload("a") == errno.ENOENT
    assert kernel.unload_target("target") == errno.ENOENT
    kernel.load(A)
    assert kernel.load(A) == errno.EEXIST
    assert kernel.unload("a") == errno.EAGAIN
    assert kernel.write_enabled("a", True) == errno.EINVAL
    assert kernel.write_force("a") == errno.EINVAL
    kernel.missing.add(ANSWER)
    assert kernel.load_target("target") == errno.EINVAL
    kernel.missing.add(PAUSE)
    assert kernel.load(B) == errno.EINVAL
    assert kernel.load_target("other") == 0
    assert kernel.load_target("other") == errno.EEXIST


def test_without_ftrace_nothing_is_patched(kernel: Kernel) -> None:
    kernel.ftrace_enabled = False
    assert kernel.load(A) == errno.EBUSY
    assert called(kernel) == ["a vmlinux pre_patch", "a vmlinux post_unpatch"]
    kernel.ftrace_enabled = True
    kernel.load(A)
    kernel.ftrace_enabled = False
    called(kernel)
    assert kernel.load_target("target") == errno.EBUSY
    assert called(kernel) == ["a target pre_patch", "a target post_unpatch"]


def test_force_pins_what_goes(kernel: Kernel) -> None:
    kernel.load(A)
    kernel.enter("sleeper", PAUSE)
    kernel.write_enabled("a", False)
    assert kernel.write_force("a") == 0
    kernel.settle()
    assert (kernel.patches, kernel.unload("a")) == ([], errno.EAGAIN)


def test_a_target_with_relocations_comes_again_since_6_3() -> None:
    spec = patch("a", target=True)
    *rest, target = spec.objects
    target = msgspec.structs.replace(target, relocations=True)
    spec = msgspec.structs.replace(spec, objects=(*rest, target))
    for release, number in ((OLD, errno.ENOEXEC), (NEW, 0)):
        kernel = Kernel(release)
        kernel.load(spec)
        assert kernel.load_target("target") == 0
        kernel.unload_target("target")
        assert kernel.load_target("target") == number


def test_a_child_is_where_its_parent_is(kernel: Kernel) -> None:
    sleeper = kernel.enter("sleeper", PAUSE)
    kernel.load(A)
    child = kernel.tasks.fork(sleeper, "child")
    assert (child.state, child.pending) == (PatchState.UNPATCHED, True)


@pytest.mark.parametrize(
    ("place", "stack", "reliable", "old", "new"),
    [
        (Place.USER, [], True, True, True),
        (Place.ASLEEP, [("vmlinux", "f", ORIGINAL)], True, False, False),
        (Place.ASLEEP, [("vmlinux", "f", "a")], True, True, True),
        (Place.ASLEEP, [], False, False, False),
        (Place.RUNNING, [], True, False, False),
        (Place.RESCHEDULING, [], True, False, True),
        (Place.RESCHEDULING, [("vmlinux", "f", ORIGINAL)], True, False, False),
    ],
)
def test_who_may_leave(
    place: Place, stack: list[tuple[str, str, str]], reliable: bool, old: bool, new: bool
) -> None:
    taken = {("vmlinux", "f", ORIGINAL)}
    for release, expected in ((OLD, old), (NEW, new)):
        assert may_leave(place, stack, taken, release=release, reliable=reliable) is expected


def test_releases() -> None:
    assert Release.parse("6.1.0-56-cloud-amd64") == OLD
    assert Release.parse("6.12.117+deb12-cloud-amd64") == NEW
    assert Release.parse("7.0-rc1").shows_replace
    assert not OLD.shows_replace
