"""The one transition that may run (kernel/livepatch/transition.c)."""

from __future__ import annotations

from lpharness.reference.patch import Patch
from lpharness.reference.rules import PatchState, Place, Release, Version, may_leave
from lpharness.reference.spec import ORIGINAL
from lpharness.reference.stack import Stacks
from lpharness.reference.tasks import Task, Tasks


class Transition:
    """A patch on its way to ``target``; each task is on the old or on the new side."""

    def __init__(self, patch: Patch, target: PatchState, tasks: Tasks) -> None:
        """Put all tasks on the other side, the functions in transition (klp_init_transition)."""
        self.patch = patch
        self.target = target
        self._tasks = tasks
        for task in tasks:
            task.state = target.opposite
        for func in patch.funcs():
            func.transition = True

    def start(self) -> None:
        """Ask each task that is not there yet to switch (klp_start_transition)."""
        for task in self._tasks:
            task.pending = task.state is not self.target

    def reverse(self) -> None:
        """Turn round: whoever has switched has to switch back (klp_reverse_transition)."""
        self.patch.enabled = not self.patch.enabled
        self.target = self.target.opposite
        self.start()

    def taken(self, stacks: Stacks) -> frozenset[Version]:
        """Return the code that nobody may be in who switches (klp_check_stack_func).

        When patching, what each function ran before; when unpatching, the new version. The version
        of a nop is the original function itself.
        """
        taken: set[Version] = set()
        for obj in self.patch.objects:
            for func in obj.funcs if obj.patched else ():
                if self.target is PatchState.PATCHED:
                    version = stacks.previous(func)
                else:
                    version = ORIGINAL if func.nop else func.version
                if version is not None:
                    taken.add((*func.key, version))
        return frozenset(taken)

    def try_switch(self, task: Task, stacks: Stacks, release: Release) -> bool:
        """Switch a task if it may (klp_try_switch_task); tell whether it is on the new side."""
        if task.state is not self.target and may_leave(
            task.place, task.stack, self.taken(stacks), release=release
        ):
            self.switch(task)
        return task.state is self.target

    def switch(self, task: Task) -> None:
        """Take a task to the new side (klp_update_patch_state)."""
        task.state, task.pending = self.target, False

    def end(self) -> None:
        """Leave no trace in functions and tasks (klp_complete_transition)."""
        for func in self.patch.funcs():
            func.transition = False
        for task in self._tasks:
            task.state, task.pending = PatchState.IDLE, False

    def blockers(self) -> list[Task]:
        """Return who has not switched."""
        return [task for task in self._tasks if task.state is not self.target]

    def signal(self) -> list[Task]:
        """Return who is woken by the fake signal (klp_send_signals), after letting it switch."""
        woken = [
            task
            for task in self._tasks
            if task.pending and task.signalled and task.place is Place.ASLEEP
        ]
        for task in woken:
            self.switch(task)
        return woken
