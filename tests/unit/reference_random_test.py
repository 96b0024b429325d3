"""The reference under random sequences: what must hold, and that a broken rule is noticed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from reference_support import NEW, OLD, PAUSE, assert_sound, patch

from lpharness.reference import Kernel, PatchState
from lpharness.reference.callbacks import Callbacks
from lpharness.reference.stack import Stacks
from lpharness.reference.transition import Transition

PATCHES = {
    spec.name: spec
    for spec in (
        patch("a", target=True),
        patch("b"),
        patch("c", target=True, replace=True),
        patch("d", kernel=False, target=True),
        patch("r", kernel=False, target=True, replace=True),
    )
}
NAMES = st.sampled_from(sorted(PATCHES))
ONE_LIFE = {
    "pre_patch": {"post_patch", "post_unpatch", "none"},
    "post_patch": {"pre_unpatch"},
    "pre_unpatch": {"post_unpatch", "post_patch"},
    "post_unpatch": {"pre_patch"},
    "none": {"pre_patch"},
}
"""Which callback of an object of one module may follow which."""


class ReferenceMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.kernel = Kernel(OLD)
        self.last: dict[tuple[str, str], str] = {}

    @rule(name=NAMES, failing=st.sampled_from([{}, {}, {"vmlinux": 19}, {"target": 12}]))
    def load(self, name: str, failing: dict[str, int]) -> None:
        busy, patches = self.kernel.transition, list(self.kernel.patches)
        number = self.kernel.load(PATCHES[name], failing)
        if number:
            assert self.kernel.patches == patches
            assert self.kernel.transition is busy
        else:
            assert busy is None
            if PATCHES[name].replace and self.kernel.transition is None:
                assert [each.name for each in self.kernel.patches] == [name]

    @rule(name=NAMES, enabled=st.booleans())
    def write(self, name: str, enabled: bool) -> None:
        self.kernel.write_enabled(name, enabled)

    @precondition(lambda self: self.kernel.transition is not None)
    @rule()
    def reverse_twice(self) -> None:
        """Turning round twice is as if nothing had been, but that nobody moves meanwhile."""
        transition = self.kernel.transition
        assert transition is not None
        before = (transition.target, transition.patch.enabled, list(self.kernel.patches))
        for _ in range(2):
            patch = transition.patch
            assert self.kernel.write_enabled(patch.name, not patch.enabled) == 0
        assert before == (transition.target, transition.patch.enabled, list(self.kernel.patches))

    @rule(name=NAMES)
    def unload(self, name: str) -> None:
        installed = self.kernel.patch(name) is not None
        assert (self.kernel.unload(name) == 0) <= (not installed)

    @rule(name=st.sampled_from(["0", "1", "2"]))
    def sleeper(self, name: str) -> None:
        if name in self.kernel.tasks:
            self.kernel.leave(name)
        else:
            self.kernel.enter(name, PAUSE)

    @rule()
    def target(self) -> None:
        if "target" in self.kernel.targets:
            assert self.kernel.unload_target("target") == 0
        else:
            assert self.kernel.load_target("target") == 0

    @rule()
    def signal(self) -> None:
        self.kernel.signal()

    @rule()
    def settle(self) -> None:
        self.kernel.settle()
        if self.kernel.transition:
            _assert_blocked_for_a_reason(self.kernel)

    @invariant()
    def sound(self) -> None:
        assert_sound(self.kernel)

    @invariant()
    def callbacks_in_pairs(self) -> None:
        for call in self.kernel.callbacks.take():
            key = (call.patch, call.object)
            if call.callback == "pre_patch":  # a replaced patch is never told of its end
                self.last[key] = call.callback
                continue
            assert call.callback in ONE_LIFE[self.last.get(key, "none")], (call, self.last)
            self.last[key] = call.callback

    def teardown(self) -> None:
        """Whatever it was, it can all be taken off, and nothing is left."""
        for task in self.kernel.tasks:
            self.kernel.leave(task.name)
        self.kernel.settle()
        for each in reversed(list(self.kernel.patches)):
            if each in self.kernel.patches:
                assert self.kernel.write_enabled(each.name, False) == 0
        for name in list(self.kernel.modules):
            assert self.kernel.unload(name) == 0
        assert self.kernel.is_clean()


def _assert_blocked_for_a_reason(kernel: Kernel) -> None:
    transition = kernel.transition
    assert transition is not None
    moving, patching = transition.patch.name, transition.target is PatchState.PATCHED
    assert transition.blockers()
    assert any(func.key == PAUSE for func in transition.patch.funcs())
    for task in transition.blockers():
        in_new = any(version == moving for *_, version in task.stack)
        assert in_new != patching, "when patching the old one blocks, when unpatching the new"


def _run(release: Any = OLD, examples: int = 60) -> None:
    class Machine(ReferenceMachine):
        def __init__(self) -> None:
            super().__init__()
            self.kernel = Kernel(release)

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("release", [OLD, NEW], ids=["6.1", "6.12"])
def test_what_must_hold_holds(release: Any) -> None:
    _run(release)


def _oldest_wins(self: Stacks, key: Any, state: Any) -> str:
    stack = self._stacks.get(key, [])
    return stack[0].version if stack else "original"


MUTATIONS: dict[str, tuple[type, str, Callable[..., Any]]] = {
    "the oldest wins": (Stacks, "reached", _oldest_wins),
    "nobody blocks": (Transition, "taken", lambda *_: frozenset()),
    "everybody blocks": (
        Transition,
        "taken",
        lambda *_: frozenset((*PAUSE, version) for version in ("original", *PATCHES)),
    ),
    "a reversal forgets the patch": (
        Transition,
        "reverse",
        lambda self: setattr(self, "target", self.target.opposite) or self.start(),
    ),
    "a reference is never dropped": (
        Kernel,
        "_free",
        lambda self, patch: self.patches.remove(patch),
    ),
    "replaced patches stay": (Kernel, "_older_than", lambda *_: []),
    "an end leaves functions in transition": (Transition, "end", lambda _: None),
    "post_patch is told as pre_unpatch": (Callbacks, "post_patch", Callbacks.pre_unpatch),
    "nops stay": (Stacks, "unpatch_nops", lambda *_: None),
}


@contextlib.contextmanager
def _mutated(name: str) -> Iterator[None]:
    owner, attribute, broken = MUTATIONS[name]
    with pytest.MonkeyPatch.context() as patcher:
        patcher.setattr(owner, attribute, broken)
        yield


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_broken_rule_is_noticed(name: str) -> None:
    with _mutated(name), pytest.raises(Exception):  # noqa: B017, PT011 — any invariant
        _run(examples=100)
