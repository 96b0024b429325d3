"""The story of one trial in its guest: baseline, load, transition, steady, unload, after.

What is seen goes into the timeline as it happens; nothing is judged here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, suppress

from lpharness.base.deadline import Deadline
from lpharness.base.errors import DeadlineExpired
from lpharness.cases.model import ModuleSource, Stall
from lpharness.checks.models import module_stays
from lpharness.console import Finding
from lpharness.engine.beats import KernelHeartbeat
from lpharness.engine.build import Module
from lpharness.engine.heartbeat import HeartbeatWatch
from lpharness.engine.leaks import LeakScanner
from lpharness.engine.listening import ConsoleListener, MonitorListener
from lpharness.engine.livepatch import LivepatchControl
from lpharness.engine.observe import Observer
from lpharness.engine.timed_calls import record_timed
from lpharness.engine.tracing import CallCounter
from lpharness.engine.watcher import Direction, TransitionOver, Watcher
from lpharness.engine.witness import Witness
from lpharness.guests.contract import Guest
from lpharness.guests.slowness import cost_of_checkers
from lpharness.models.evidence import record_evidence
from lpharness.timeline.events import Phase, Probed
from lpharness.timeline.recorder import Recorder
from lpharness.trial.memory import MemoryKeeper
from lpharness.trial.plan import Plan
from lpharness.trial.steps import Steps
from lpharness.trial.trigger import Trigger
from lpharness.workloads.runner import RunningWorkload

ORIGINAL = "original"
_LONGEST_TRANSITION_S = 1200.0
_LITTLE_S = 0.5
# A kernel that lives on after an oops answers in a second, also on a busy host; one whose locks
# died with a task may never.
_PATIENCE_S = 30.0

EnterPhase = Callable[[Phase, str | None], None]


class Story(Steps):
    """One guest, one case, from its baseline to what is left after unloading."""

    def __init__(
        self,
        plan: Plan,
        guest: Guest,
        recorder: Recorder,
        enter: EnterPhase,
        memory: MemoryKeeper | None = None,
    ) -> None:
        super().__init__(plan, guest, recorder)
        self._enter = enter
        self._memory = memory
        self._monitor = MonitorListener(guest, recorder)
        self._trigger = Trigger(guest, recorder, plan.case.flaw) if plan.case.flaw else None
        self._console = ConsoleListener(guest, recorder, self._heard)
        self._observer = Observer(guest, recorder, plan.spec.kernel, plan.registrar)
        self._counter = CallCounter(guest, recorder)
        self._leaks = LeakScanner(guest, recorder)
        self._beats = KernelHeartbeat(plan.beats, guest, recorder) if plan.beats else None
        self._loaded: list[str] = []
        self._stack = ExitStack()

    def close(self) -> None:
        """Take the last words of the console and the monitor."""
        self._stack.close()
        self._monitor.close()
        self._console.close()

    def _heard(self, findings: list[Finding]) -> None:
        """Take what the console said; in its own thread."""
        if self._trigger is not None:
            self._trigger.heard(findings)
        if any(finding.severity == "fatal" for finding in findings):
            self._guest.hurry(_PATIENCE_S * cost_of_checkers(self._guest.spec.kernel))

    # --- the chapters ----------------------------------------------------------------------

    def tell(self) -> None:
        """Tell it all."""
        self._prepare()
        self._begin(Phase.BASELINE)
        self._baseline()
        self._hear_beats()
        for source, module in zip(self._case.modules, self._plan.modules, strict=True):
            self._begin(Phase.LOAD, module.name)
            if not self._load(source, module):
                break
            self._hear_beats()
            self._begin(Phase.STEADY, module.name)
            self._steady(module)
            self._hear_beats()
        self._begin(Phase.UNLOAD)
        self._unload()
        self._hear_beats()
        self._begin(Phase.AFTER)
        self._after()

    def _prepare(self) -> None:
        deadline = self._soon()
        self._observer.clock(deadline)
        self._observer.ensure_symbols(self._soon(20))
        self._set_up()
        self._witness = Witness(self._guest, deadline)
        self._load_model()
        if self._beats is not None:
            self._beats.start(self._soon(20))
        self._watcher = Watcher(self._guest, self._recorder, self._plan.registrar)
        self._heartbeat = HeartbeatWatch(self._guest, self._recorder)
        self._stack.callback(self._heartbeat.leave)
        self._control = LivepatchControl(
            self._guest, self._watcher, self._recorder, self._plan.registrar
        )
        for module in self._plan.modules:
            self._control.upload(module.name, module.path, self._soon())
        self._watcher.await_ready(self._soon())
        self._heartbeat.await_start(self._soon())

    def _baseline(self) -> None:
        self._load_target()
        self._observer.vitals(self._witness, self._soon())
        self._observe_functions()
        self._places = self._observer.places(self._plan.functions, self._soon())
        self._observer.shadows(self._soon())
        self._count_calls()
        # Probes go into quiet code and come out of quiet code.
        self._counter.arm("patching", self._soon())
        self._workload = RunningWorkload(
            self._guest, self._plan.workload, self._case.drive, self._recorder
        )
        self._workload.await_start(self._soon(4 + 10 * self._plan.workload.round_s))
        self._look_for(self._a_round(self._plan.looks.baseline_s), ORIGINAL)
        if self._target_comes_late:
            self._unload_target()

    def _load(self, source: ModuleSource, module: Module) -> bool:
        self._counter.arm("patching", self._soon())
        if self._control.load(module.name, self._soon(30)):
            return False
        self._loaded.append(module.name)
        self._begin(Phase.TRANSITION, module.name)
        self._await_patched(module.name)
        self._counter.read(driven=False, deadline=self._soon())
        if source.replaces:
            self._drop_replaced(module.name)
        return True

    def _steady(self, module: Module) -> None:
        if self._target_comes_late:
            self._load_target()
        self._observer.patch(module.name, self._soon())
        self._observe_functions()
        self._counter.arm("unpatching", self._soon())
        self._look_for(self._a_round(self._plan.looks.steady_s), module.name)
        if module is self._plan.modules[-1]:
            self._try_flaw()
        # Once more: whoever undid the patch meanwhile must not go unseen.
        self._observer.patch(module.name, self._soon())
        self._observe_functions()
        self._observer.vitals(self._witness, self._soon())
        self._leaks.remember(module.name, self._soon())

    def _unload(self) -> None:
        if not self._loaded:
            return
        last = self._loaded[-1]
        self._counter.arm("unpatching", self._soon())
        # A patch that somebody else took off or replaced has no transition to wait for.
        taken_off = self._control.set_enabled(last, False, self._soon(30))
        if taken_off or self._observer.patch(last, self._soon()).present:
            self._await("unpatching", last)
        self._counter.read(driven=False, deadline=self._soon())
        for name in reversed(self._loaded):
            self._counter.drop(name, self._soon())
            stays = module_stays(self._plan.id.model)
            self._control.unload(name, self._soon(15), awaited=not stays)
            self._observer.patch(name, self._soon())

    def _after(self) -> None:
        self._counter.arm("patching", self._soon())
        self._look_for(self._plan.looks.after_s, ORIGINAL)
        if self._trigger is not None and self._case.flaw and self._case.flaw.returns:
            self._trigger.run(patched=False)
        self._workload.stop(self._soon())
        self._counter.close(self._soon())
        self._observe_functions()
        self._observer.places(self._plan.functions, self._soon())
        self._observer.shadows(self._soon())
        self._hear_model()
        self._hear_timed()
        for command in self._case.cleanup:
            self._act(f"cleanup: {command}", command)
        self._heartbeat.close(self._soon())
        self._hear_beats()
        # A scan holds up the CPUs, which is no doing of the patch.
        self._leaks.scan(self._soon(30))
        self._observer.vitals(self._witness, self._soon())
        self._observer.clock(self._soon())
        self._watcher.close(self._soon())
        self._unload_model()
        if self._beats is not None:
            self._beats.stop(self._soon())
        self._witness.close(self._soon())

    # --- the steps -------------------------------------------------------------------------

    def _begin(self, phase: Phase, module: str | None = None) -> None:
        """Enter a phase, and take the case's own steps for it."""
        if self._memory is not None:
            self._memory.keep_after_oops()  # while the livepatch that died is still in it
        self._enter(phase, module)
        self._take_actions(phase, module)

    def _await_patched(self, name: str) -> None:
        stall = self._case.expect.stall
        if stall is not None:
            self._watch_stall(stall)
            self._act("release", stall.release)
        if not self._await("patching", name) and self._case.expect.force:
            self._control.force(name, self._soon())
            self._await("patching", name)

    def _watch_stall(self, stall: Stall) -> None:
        """Give a transition that must stall the chance to finish when it should not.

        A slow guest may take longer than that to tell who is in the way: nobody is let go unseen.
        """
        with suppress(DeadlineExpired):
            self._control.await_transition("patching", Deadline.after(stall.seconds))
        with suppress(DeadlineExpired):
            self._watcher.await_blocker(stall.kept_comm, self._soon(10))

    def _await(self, direction: Direction, name: str) -> bool:
        """Wait for a transition, and record the patch's state however it went."""
        try:
            self._await_for_as_long_as_the_guest_had(direction)
            return True
        except DeadlineExpired as error:
            self._note(str(error))
            if self._memory is not None:
                self._memory.keep(f"{direction} {name} does not end")
            return False
        finally:
            self._observer.patch(name, self._soon())

    def _await_for_as_long_as_the_guest_had(self, direction: Direction) -> None:
        """Wait for the bound, and again for as long as the host let the guest wait meanwhile.

        Raises:
            DeadlineExpired: the transition had its time, and did not complete.
        """
        deadline, end = self._transition_bound(), Deadline.after(_LONGEST_TRANSITION_S)
        while True:
            before = self._guest.cpu_share()
            try:
                self._control.await_transition(direction, deadline)
                return
            except TransitionOver:
                raise
            except DeadlineExpired:
                after = self._guest.cpu_share()
                lost = (after.waited_ns - before.waited_ns) / 1e9 if before and after else 0.0
                if lost < _LITTLE_S or end.expired:
                    raise
                deadline = end.sooner(lost)

    def _drop_replaced(self, name: str) -> None:
        """Unload what an atomic replace has made idle."""
        for old in [loaded for loaded in self._loaded if loaded != name]:
            self._counter.drop(old, self._soon())
            if self._control.unload(old, self._soon(15)) == 0:
                self._loaded.remove(old)
            self._observer.patch(old, self._soon())

    def _look_for(self, seconds: float, state: str) -> None:
        """Probe the behaviour, drive the patched path, count calls, for ``seconds`` at least.

        The behaviour is probed at both ends: some faults take their time.
        """
        until = Deadline.after(seconds)
        self._probe(state)
        driven = bool(self._case.drive.run)
        if driven:
            self._act("drive", self._case.drive.run)
        time.sleep(until.remaining())
        self._probe(state)
        self._workload.check_alive()
        self._counter.read(driven=driven, deadline=self._soon())

    def _probe(self, state: str) -> None:
        for probe in self._case.probes:
            result = self._guest.transport.run(
                probe.run, deadline=Deadline.after(probe.timeout_s * self._slowness)
            )
            self._recorder.add(
                Probed(
                    host_ns=self._recorder.now(),
                    guest_ns=result.guest_ended_ns,
                    probe=probe.name,
                    state=state,
                    exit_status=result.exit_status,
                    stdout=result.text[:65536],
                    stderr=result.stderr.decode(errors="replace")[:65536],
                    seconds=result.seconds,
                )
            )

    def _try_flaw(self) -> None:
        """Run the trigger of the case's flaw with the patch on; count what it calls."""
        if self._trigger is None:
            return
        self._counter.arm("unpatching", self._soon())
        if not self._trigger.run(patched=True):
            raise DeadlineExpired("the flaw's trigger did not come back")
        self._counter.read(driven=False, deadline=self._soon())

    def _a_round(self, seconds: float) -> float:
        """Return ``seconds``, or as long as the workload takes to get through its work once."""
        return max(seconds, self._plan.workload.round_s * self._slowness)

    def _observe_functions(self) -> None:
        self._observer.enabled_functions(self._plan.functions, self._soon())

    def _count_calls(self) -> None:
        """Put probes on both versions of the functions, of the first ones if there are many.

        The old version of a function whose module goes and comes again is left alone: the
        kernel drops a probe with the module under it.
        """
        timed = {f.old for module in self._case.modules for f in module.functions if f.timed}
        first = self._plan.functions[: self._plan.counted]
        counted = {function for function in first if function.old not in timed}
        for function, place in self._places.items():
            vanishes = function.object != "vmlinux" and self._target_comes_late
            if function in counted and not vanishes:
                self._counter.add_old(function, place.address, place.code, self._soon())
        for function in self._plan.functions:
            if function in counted:
                self._counter.add_new(function, self._soon())
            elif function.old in timed:
                self._counter.leave_out(function, "its calls are timed: a probe would cost more")
            else:
                self._counter.leave_out(function, f"one of more than {self._plan.counted}")

    def _hear_timed(self) -> None:
        """Write down what calls cost, by what the case says of the functions that it times."""
        for module in self._case.modules:
            for function in module.functions:
                if function.timed:
                    record_timed(
                        self._guest, function.timed, module.name, function.old, self._recorder,
                        self._soon(20),
                    )  # fmt: skip

    def _hear_beats(self) -> None:
        """Write down what the heartbeats in the kernel saw, while there is a place for it."""
        if self._beats is not None:
            self._beats.read(self._soon(20))

    # --- the module of another model than the kernel's --------------------------------------

    def _load_model(self) -> None:
        """Load it before anything looks at the guest: it is no part of what is under test."""
        if self._plan.model is not None:
            place = f"/tmp/{self._plan.model.name}"  # noqa: S108 — the guest's own
            self._guest.transport.put(self._plan.model, place, deadline=self._soon())
            self._act(f"load the model {self._plan.id.model}", f"insmod {place}")

    def _hear_model(self) -> None:
        """Write down its account while every module is there whose functions it names."""
        if self._plan.model is not None:
            for name in self._loaded:
                record_evidence(self._guest, name, self._recorder, self._soon())

    def _unload_model(self) -> None:
        """Unload it: it goes only if no patch holds it any more."""
        if self._plan.model is not None:
            model = self._plan.id.model
            wanted = 1 if module_stays(model) and self._loaded else 0
            self._act(f"unload the model {model}", f"rmmod {self._plan.model.stem}", wanted)

    # --- the target's modules --------------------------------------------------------------

    @property
    def _target_comes_late(self) -> bool:
        return self._plan.variant is not None and self._plan.variant.target == "after"

    def _unload_target(self) -> None:
        if self._case.target is not None:
            for name in reversed(self._case.target.modules):
                self._act(f"unload target {name}", f"rmmod {name}")
