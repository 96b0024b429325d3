"""One step of a sequence: what is done to the guest, and to the reference."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct

from livepatch_machine.catalog import MISSING_KEY, PATCHES, PAUSE_KEY, TARGET
from lpharness.reference import Kernel, Release


class Kind(Enum):
    """The guest's words for them, see ``scene.c``."""

    LOAD = "load"
    UNLOAD = "unload"
    ENABLED = "enabled"
    FAIL = "fail"
    ENTER = "enter"
    LEAVE = "leave"
    TRACE = "trace"
    CPU = "cpu"


class Act(Struct, frozen=True):
    """One step."""

    kind: Kind
    name: str
    value: str = ""

    def __str__(self) -> str:
        return f"{self.kind.value} {self.name} {self.value}".strip()


class World:
    """The reference, and what else there is in the guest."""

    def __init__(self, release: Release) -> None:
        self.kernel = Kernel(release)
        self.kernel.missing.add(MISSING_KEY)
        self.failing: dict[str, int] = {}
        """``fail_target`` of loaded modules."""
        self.tracing = False
        self.cpu1 = False

    def allows(self, act: Act) -> bool:
        """Tell whether an act means anything: a sleeper must be there to leave."""
        if act.kind is Kind.ENTER:
            return act.name not in self.kernel.tasks
        if act.kind is Kind.LEAVE:
            return act.name in self.kernel.tasks
        return True

    def do(self, act: Act) -> int:
        """Do it; return 0 or the errno that the kernel should return."""
        kernel, number = self.kernel, 0
        match act.kind:
            case Kind.LOAD:
                number = self._load(act)
            case Kind.UNLOAD if act.name == TARGET:
                number = kernel.unload_target(TARGET)
            case Kind.UNLOAD:
                number = kernel.unload(act.name)
            case Kind.ENABLED:
                number = kernel.write_enabled(act.name, act.value == "1")
            case Kind.FAIL:
                number = self._fail(act)
            case Kind.ENTER:
                kernel.enter(act.name, PAUSE_KEY)
            case Kind.LEAVE:
                kernel.leave(act.name)
            case Kind.TRACE:
                self.tracing = act.name == "on"
            case Kind.CPU:
                self.cpu1 = act.name == "1"
        kernel.settle()
        return number

    def _load(self, act: Act) -> int:
        if act.name == TARGET:
            return self.kernel.load_target(TARGET, self.failing)
        key, _, value = act.value.partition("=")
        fails = {"fail": "vmlinux", "fail_target": TARGET}
        failing = {fails[key]: int(value)} if key in fails else {}
        number = self.kernel.load(PATCHES[act.name], failing)
        if not number:
            self.failing[act.name] = int(value) if key == "fail_target" else 0
        return number

    def _fail(self, act: Act) -> int:
        if act.name not in self.kernel.modules:
            return 2
        self.failing[act.name] = int(act.value)
        return 0

    def cleaning(self) -> list[Act]:
        """Return the acts after which nothing is left, as far as the reference knows."""
        names = [patch.name for patch in reversed(self.kernel.patches)]
        transition = self.kernel.transition
        going = transition.patch.name if transition and not transition.patch.enabled else ""
        if transition and transition.patch.enabled and transition.patch.spec.replace:
            names = [transition.patch.name]  # once everybody has left the others are replaced
        return [
            *(Act(Kind.LEAVE, task.name) for task in self.kernel.tasks),
            *([Act(Kind.TRACE, "off")] if self.tracing else []),
            *(Act(Kind.ENABLED, name, "0") for name in names if name != going),
            *(Act(Kind.UNLOAD, name) for name in (*self.kernel.modules, *self.kernel.targets)),
            *([Act(Kind.CPU, "0")] if self.cpu1 else []),
        ]
