"""The rules, for Hypothesis to draw sequences from."""

from __future__ import annotations

from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from livepatch_machine.acts import Act, Kind
from livepatch_machine.catalog import PATCHES, TARGET
from livepatch_machine.pair import Discrepancy, Late, Pair
from lpharness.reference import Kernel

STEPS = 20
NAMES = st.sampled_from(sorted(PATCHES))
REPLACING = {name for name, spec in PATCHES.items() if spec.replace}
REFUSED = ("lph_a", "lph_c")
"""Whose callbacks can refuse a target."""


class LivepatchMachine(RuleBasedStateMachine):
    """One sequence; `machine_of` gives it a pair to drive."""

    pair: ClassVar[Pair]
    failures: ClassVar[list[Discrepancy]]

    def __init__(self) -> None:
        super().__init__()
        self._over = False
        self.pair.begin()

    @property
    def kernel(self) -> Kernel:
        return self.pair.world.kernel

    @rule(name=NAMES, value=st.sampled_from(["", "", "fail=19", "fail_target=12"]))
    def load(self, name: str, value: str) -> None:
        self._do(Kind.LOAD, name, value)

    @precondition(lambda self: set(PATCHES) - set(self.kernel.modules))
    @rule(data=st.data())
    def load_another(self, data: Any) -> None:
        self._do(Kind.LOAD, _mostly(data, set(PATCHES) - set(self.kernel.modules)))

    @precondition(lambda self: REPLACING - set(self.kernel.modules))
    @rule(data=st.data())
    def replace(self, data: Any) -> None:
        self._do(Kind.LOAD, _mostly(data, REPLACING - set(self.kernel.modules)))

    @precondition(lambda self: self.kernel.patches)
    @rule(data=st.data(), value=st.sampled_from(["0", "0", "0", "0", "1"]))
    def disable(self, data: Any, value: str) -> None:
        self._do(Kind.ENABLED, _mostly(data, {patch.name for patch in self.kernel.patches}), value)

    @precondition(lambda self: self.kernel.transition is not None)
    @rule()
    def reverse(self) -> None:
        assert self.kernel.transition is not None
        patch = self.kernel.transition.patch
        self._do(Kind.ENABLED, patch.name, str(int(not patch.enabled)))

    @precondition(lambda self: self.kernel.modules)
    @rule(data=st.data())
    def unload(self, data: Any) -> None:
        self._do(Kind.UNLOAD, _mostly(data, set(self.kernel.modules)))

    @precondition(lambda self: TARGET not in self.kernel.targets)
    @rule()
    def target_comes(self) -> None:
        self._do(Kind.LOAD, TARGET)

    @precondition(lambda self: TARGET in self.kernel.targets)
    @rule()
    def target_goes(self) -> None:
        self._do(Kind.UNLOAD, TARGET)

    @precondition(lambda self: set(REFUSED) & set(self.kernel.modules))
    @rule(name=st.sampled_from(REFUSED), number=st.sampled_from(["0", "12"]))
    def target_will_be_refused(self, name: str, number: str) -> None:
        self._do(Kind.FAIL, name, number)

    @precondition(lambda self: len(list(self.kernel.tasks)) < 2)
    @rule()
    def enter(self) -> None:
        self._do(Kind.ENTER, "1" if "0" in self.kernel.tasks else "0")

    @precondition(lambda self: list(self.kernel.tasks))
    @rule(data=st.data())
    def leave(self, data: Any) -> None:
        there = sorted(task.name for task in self.kernel.tasks)
        self._do(Kind.LEAVE, data.draw(st.sampled_from(there)))

    @rule(what=st.sampled_from([Kind.TRACE, Kind.CPU]))
    def trace_or_hotplug(self, what: Kind) -> None:
        if what is Kind.TRACE:
            self._do(Kind.TRACE, "off" if self.pair.world.tracing else "on")
        else:
            self._do(Kind.CPU, "0" if self.pair.world.cpu1 else "1")

    def teardown(self) -> None:
        """Leave the guest clean, each step of that compared as well."""
        self.pair.tally.whole += len(self.pair.acts) == STEPS
        self._guarded(self.pair.end)

    def _do(self, kind: Kind, name: str, value: str = "") -> None:
        self._guarded(lambda: self.pair.step(Act(kind, name, value)))

    def _guarded(self, what: Any) -> None:
        if self._over:
            return
        try:
            what()
        except Late:
            self._over = True
        except Discrepancy as failure:
            self._over = True
            self.failures.append(failure)
            raise


def machine_of(pair: Pair) -> type[LivepatchMachine]:
    """Return the state machine that drives a pair."""
    return type("LivepatchMachine", (LivepatchMachine,), {"pair": pair, "failures": []})


def _mostly(data: Any, wanted: set[str]) -> str:
    """Draw one of those that are wanted, mostly, if there are any."""
    if wanted and data.draw(st.integers(0, 9)):
        return str(data.draw(st.sampled_from(sorted(wanted))))
    return str(data.draw(NAMES))
