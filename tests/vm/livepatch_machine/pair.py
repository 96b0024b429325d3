"""A guest and the reference, step by step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from livepatch_machine import view
from livepatch_machine.acts import Act, Kind, World
from livepatch_machine.stage import Stage
from lpharness.base.errors import GuestError
from lpharness.reference import Release

WorldMaker = Callable[[Release], World]
SIGNALLED = "livepatch: signaling remaining tasks"


class Discrepancy(AssertionError):
    """The kernel did not do as the reference says, or did not stay well."""

    def __init__(
        self,
        acts: Sequence[Act],
        stalls: Sequence[bool],
        differ: dict[str, tuple[str, str]],
        evidence: str = "",
    ) -> None:
        self.acts = tuple(acts)
        self.stalls = tuple(stalls)
        self.differ = differ
        self.evidence = evidence
        lines = [f"  {act}" for act in acts]
        lines += [f"{key}: reference {a!r}, kernel {b!r}" for key, (a, b) in differ.items()]
        super().__init__("\n".join(["after", *lines, evidence]))


@dataclass
class Tally:
    """What a run came to."""

    sequences: int = 0
    """All that were begun; Hypothesis gives some up when it has nothing left to draw."""
    whole: int = 0
    steps: int = 0
    guests: int = 0
    late: int = 0
    """Sequences that were left when the kernel lost its patience: 15 s in one transition."""
    seconds: float = 0.0
    slowest_ms: int = 0
    """The longest that a guest took to settle."""


class Late(Exception):
    """The kernel has signalled the sleepers: nobody knows whether before or after the act."""


class Pair:
    """Sequences, one after the other, in one guest as long as that is clean."""

    def __init__(self, kernel: str, make_world: WorldMaker = World) -> None:
        self._kernel = kernel
        self._make_world = make_world
        self.stage: Stage | None = None
        self.world = World(Release(0, 0))
        self.tally = Tally()
        self.acts: list[Act] = []
        """Of the sequence so far."""
        self._stalls: list[bool] = []

    def begin(self) -> None:
        """Begin a sequence: nothing is loaded, CPU 1 is offline."""
        if self.stage is None:
            self.stage = Stage(self._kernel)
            self.tally.guests += 1
            self.stage.step(str(Act(Kind.CPU, "0")))
        self.world = self._make_world(Release.parse(self.stage.release))
        self.acts, self._stalls = [], []
        self.tally.sequences += 1

    def step(self, act: Act) -> None:
        """Do one act on both sides and compare.

        Raises:
            Discrepancy: they differ, or the kernel is not well.
            Late: the step cannot be judged.
        """
        assert self.stage is not None
        number = self.world.do(act)
        stalls = self.world.kernel.transition is not None
        self.acts.append(act)
        self._stalls.append(stalls)
        self.tally.steps += 1
        reference = view.of_reference(self.world, number)
        try:
            seen = self.stage.step(f"{'stalls ' if stalls else ''}{act}")
        except GuestError as error:
            raise self._discrepancy({"guest": ("alive", str(error))}) from error
        if found := self.stage.findings():
            raise self._discrepancy({"console": ("quiet", "; ".join(found))})
        if SIGNALLED in seen["log"]:
            self.tally.late += 1
            self.drop()
            raise Late
        self.tally.slowest_ms = max(self.tally.slowest_ms, seen["settled_ms"])
        if differ := view.differences(reference, view.of_guest(seen)):
            raise self._discrepancy(differ)

    def end(self) -> None:
        """Take everything off again, step by step, each compared as well."""
        if self.stage is None:
            return
        try:
            for _ in range(3):  # who is disabled first may leave others to disable
                for act in self.world.cleaning():
                    self.step(act)
        except Late:
            return
        if not self.world.kernel.is_clean():
            self.drop()

    def run(self, acts: Sequence[Act]) -> None:
        """Run a whole sequence, leaving out what means nothing in it.

        Raises:
            Discrepancy: as `step`.
        """
        self.begin()
        try:
            for act in acts:
                if self.world.allows(act):
                    self.step(act)
        except Late:
            return
        self.end()

    def drop(self) -> None:
        """Let go of the guest; the next sequence gets a fresh one."""
        if self.stage is not None:
            self.stage.close()
            self.stage = None

    def _discrepancy(self, differ: dict[str, tuple[str, str]]) -> Discrepancy:
        assert self.stage is not None
        if "guest" in differ:  # if it lives: who is blocked, and what runs
            self.stage.run("echo w >/proc/sysrq-trigger; echo l >/proc/sysrq-trigger")
        bad = {"guest", "console"} & set(differ)
        evidence = self.stage.console() if bad else ""
        self.drop()
        return Discrepancy(self.acts, self._stalls, differ, evidence)
