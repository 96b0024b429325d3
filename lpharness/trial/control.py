"""The control: a guest of its own that never gets the patch, in which the flaw must show.

If the case gives the kernel a patched base, that is what the control has: the flaw may be in it.
"""

from __future__ import annotations

from lpharness.base.errors import GuestError
from lpharness.engine.listening import ConsoleListener, MonitorListener
from lpharness.engine.livepatch import LivepatchControl
from lpharness.engine.observe import Observer
from lpharness.engine.watcher import Watcher
from lpharness.guests.contract import Guest
from lpharness.timeline.recorder import Recorder
from lpharness.trial.plan import Plan
from lpharness.trial.steps import Steps
from lpharness.trial.trigger import Trigger


class Control(Steps):
    """One guest, prepared as the trial's is, and the trigger run in it."""

    def __init__(self, plan: Plan, guest: Guest, recorder: Recorder) -> None:
        super().__init__(plan, guest, recorder)
        assert self._case.flaw is not None
        self._trigger = Trigger(guest, recorder, self._case.flaw)
        self._monitor = MonitorListener(guest, recorder)
        self._console = ConsoleListener(guest, recorder, self._trigger.heard)
        self._observer = Observer(guest, recorder, plan.spec.kernel)

    def close(self) -> None:
        """Take the last words of the console and the monitor."""
        self._monitor.close()
        self._console.close()

    def tell(self) -> None:
        """Prepare the guest, and try the flaw."""
        self._observer.clock(self._soon())
        self._set_up()
        self._load_target()
        if self._case.base:
            self._load_base()
        self._trigger.run(patched=False)

    def _load_base(self) -> None:
        """Load what the kernel is to have before the patch, and wait until all tasks have it.

        Raises:
            GuestError: it cannot be loaded, or its transition does not end.
        """
        watcher = Watcher(self._guest, self._recorder)
        hands = LivepatchControl(self._guest, watcher, self._recorder)
        watcher.await_ready(self._soon())
        for source, module in zip(self._case.modules, self._plan.modules, strict=True):
            if source.base:
                hands.upload(module.name, module.path, self._soon())
                if errno := hands.load(module.name, self._soon(30)):
                    raise GuestError(f"the base {module.name} does not load: errno {errno}")
                hands.await_transition("patching", self._transition_bound())
        watcher.close(self._soon())
