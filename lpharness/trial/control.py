"""The control: a guest of its own that never gets the patch, in which the flaw must show."""

from __future__ import annotations

from lpharness.engine.listening import ConsoleListener, MonitorListener
from lpharness.engine.observe import Observer
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
        self._trigger.run(patched=False)
