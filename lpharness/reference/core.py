"""The livepatch core of one kernel: what it is asked, what it answers, what it is then.

Operations return 0 or a positive errno, as a user of the system calls sees it. Time is not
modelled: an operation makes the kernel's first attempt to end its transition, and `Kernel.settle`
stands for the retries that the kernel makes once a second.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping

from lpharness.reference.callbacks import Callbacks
from lpharness.reference.patch import Obj, Patch
from lpharness.reference.rules import PatchState, Place, Release
from lpharness.reference.spec import PatchSpec
from lpharness.reference.stack import Key, Stacks
from lpharness.reference.states import compatible
from lpharness.reference.tasks import Task, Tasks
from lpharness.reference.transition import Transition


class Kernel:
    """One running kernel.

    Attributes:
        patches: those installed, oldest first (`klp_patches`); what sysfs shows.
        modules: livepatch modules that are loaded, and their reference counts.
        targets: other modules that are loaded.
        transition: the one that runs, if one does (`klp_transition_patch`).
        missing: functions that no object has, whatever a patch believes.
        ftrace_enabled: ``/proc/sys/kernel/ftrace_enabled``.
    """

    def __init__(self, release: Release) -> None:
        self.release = release
        self.patches: list[Patch] = []
        self.modules: dict[str, int] = {}
        self.targets: set[str] = set()
        self.stacks = Stacks()
        self.tasks = Tasks()
        self.callbacks = Callbacks()
        self.transition: Transition | None = None
        self.missing: set[Key] = set()
        self.ftrace_enabled = True

    # Livepatch modules

    def load(self, spec: PatchSpec, failing: Mapping[str, int] | None = None) -> int:
        """Load a livepatch module, which enables itself (core.c klp_enable_patch).

        Args:
            spec: the module.
            failing: errno that the ``pre_patch`` callback of an object returns.
        """
        if spec.name in self.modules or spec.name in self.targets:
            return errno.EEXIST  # kernel/module/main.c add_unformed_module
        if not spec.objects or not all(each.functions for each in spec.objects) or not spec.marked:
            return errno.EINVAL
        if not compatible(spec, (patch.spec for patch in self.patches)):
            return errno.EINVAL
        patch = Patch.of(spec)
        if spec.replace:
            patch.add_nops(self.patches)
        for obj in patch.objects:
            obj.loaded = not obj.is_module or obj.name in self.targets
            obj.relocated = obj.loaded and obj.relocations
            if obj.loaded and self._lacks(obj):
                return errno.EINVAL
        if self.transition:
            return errno.EBUSY  # __klp_enable_patch
        return self._enable(patch, failing or {})

    def unload(self, name: str) -> int:
        """Unload a livepatch module (kernel/module/main.c delete_module, ``O_NONBLOCK``)."""
        if name not in self.modules:
            return errno.ENOENT
        if self.modules[name]:
            return errno.EAGAIN
        del self.modules[name]
        return 0

    def write_enabled(self, name: str, enabled: bool) -> int:
        """Write ``/sys/kernel/livepatch/NAME/enabled`` (core.c enabled_store)."""
        patch = self.patch(name)
        if patch is None:
            return errno.ENOENT  # its directory is gone
        if patch.enabled == enabled:
            return errno.EINVAL
        if self.transition and self.transition.patch is patch:
            self.transition.reverse()
            return 0
        if enabled:
            return errno.EINVAL  # a disabled patch is never enabled again
        return self._disable(patch)

    def write_force(self, name: str) -> int:
        """Write ``force``: end the transition; what goes is pinned (klp_force_transition)."""
        patch = self.patch(name)
        if patch is None:
            return errno.ENOENT
        if self.transition is None or self.transition.patch is not patch:
            return errno.EINVAL
        for task in self.tasks:
            if task.pending:
                self.transition.switch(task)
        if self.transition.target is PatchState.UNPATCHED:
            patch.forced = True
        elif patch.spec.replace:
            for other in self.patches:
                other.forced = other.forced or other is not patch
        return 0

    # Target modules

    def load_target(self, name: str, failing: Mapping[str, int] | None = None) -> int:
        """Load a module that patches may be waiting for (core.c klp_module_coming).

        Args:
            name: the module.
            failing: errno that the ``pre_patch`` callback of a patch for it returns.
        """
        if name in self.targets:
            return errno.EEXIST
        for patch in list(self.patches):
            obj = patch.object(name)
            if obj is None:
                continue
            if number := self._apply(patch, obj, failing or {}):
                self._cleanup(name, limit=patch)
                return number
        self.targets.add(name)
        return 0

    def unload_target(self, name: str) -> int:
        """Unload one: patches never hold it (core.c klp_module_going)."""
        if name not in self.targets:
            return errno.ENOENT
        self._cleanup(name)
        self.targets.remove(name)
        return 0

    # Tasks

    def reached(self, key: Key, task: Task | None = None) -> str:
        """Return the version that a call reaches; of a fresh task, which is on the new side."""
        state = PatchState.IDLE if self.transition is None else self.transition.target
        return self.stacks.reached(key, state if task is None else task.state)

    def enter(self, name: str, key: Key) -> Task:
        """Let a new task call a function and sleep in it."""
        state = PatchState.IDLE if self.transition is None else self.transition.target
        task = self.tasks.add(Task(name, state=state))
        self._call(task, key)
        return task

    def leave(self, name: str) -> None:
        """Let a task return to user mode and end."""
        task = self.tasks[name]
        task.stack.clear()
        task.place = Place.USER
        if self.transition and task.pending:
            self.transition.switch(task)
        self.tasks.remove(name)

    def signal(self) -> None:
        """Send the fake signal: a sleeper returns to user mode and calls again (restarts)."""
        if self.transition is None:
            return
        for task in self.transition.signal():
            *_, (obj, function, _version) = task.stack
            task.stack.clear()
            self._call(task, (obj, function))

    # Time

    def settle(self) -> None:
        """Retry as long as that changes anything (klp_try_complete_transition)."""
        transition = self.transition
        if transition is None:
            return
        for task in self.tasks:
            transition.try_switch(task, self.stacks, self.release)
        if not transition.blockers():
            self._complete(transition)

    # What there is

    def patch(self, name: str) -> Patch | None:
        """Return an installed patch; ``None`` if sysfs has none of that name."""
        return next((patch for patch in self.patches if patch.name == name), None)

    def is_clean(self) -> bool:
        """Tell whether nothing is left of any livepatch."""
        return not (self.patches or self.modules or self.stacks.handled() or self.transition)

    # The kernel's own steps

    def _enable(self, patch: Patch, failing: Mapping[str, int]) -> int:
        """Put a patch on and begin its transition (core.c __klp_enable_patch)."""
        transition = Transition(patch, PatchState.PATCHED, self.tasks)
        for obj in patch.objects:
            if not obj.loaded:
                continue
            number = self.callbacks.pre_patch(patch, obj, failing)
            if not number and not self.ftrace_enabled:
                number = errno.EBUSY  # kernel/trace/ftrace.c register_ftrace_function
            if number:
                self._cancel(transition)
                return number
            self.stacks.patch_object(obj)
        self.transition = transition
        self.patches.append(patch)
        self.modules[patch.name] = 1
        transition.start()
        patch.enabled = True
        self.settle()
        return 0

    def _disable(self, patch: Patch) -> int:
        """Begin to take a patch off (core.c __klp_disable_patch)."""
        if self.transition:
            return errno.EBUSY
        self.transition = Transition(patch, PatchState.UNPATCHED, self.tasks)
        for obj in patch.objects:
            if obj.patched:
                self.callbacks.pre_unpatch(patch, obj)
        self.transition.start()
        patch.enabled = False
        self.settle()
        return 0

    def _cancel(self, transition: Transition) -> None:
        """Undo a transition that has not begun (transition.c klp_cancel_transition)."""
        self.stacks.unpatch_objects(transition.patch)
        transition.end()
        for obj in transition.patch.objects:
            if obj.loaded:
                self.callbacks.post_unpatch(transition.patch, obj)

    def _complete(self, transition: Transition) -> None:
        """End a transition in which everybody has switched (klp_complete_transition)."""
        patch, patching = transition.patch, transition.target is PatchState.PATCHED
        replaced = self._older_than(patch) if patching and patch.spec.replace else []
        for old in replaced:
            old.enabled = False
            self.stacks.unpatch_objects(old)  # none of its callbacks is called
        if patching and patch.spec.replace:
            self.stacks.unpatch_nops(patch)
            patch.drop_nops()
        if not patching:
            self.stacks.unpatch_objects(patch)
        transition.end()
        after = self.callbacks.post_patch if patching else self.callbacks.post_unpatch
        for obj in patch.objects:
            if obj.loaded:
                after(patch, obj)
        self.transition = None
        for gone in replaced if patching else [patch]:
            self._free(gone)

    def _older_than(self, patch: Patch) -> list[Patch]:
        return self.patches[: self.patches.index(patch)]

    def _free(self, patch: Patch) -> None:
        """Forget a patch; its module can go, unless forced (klp_free_patch_finish)."""
        self.patches.remove(patch)
        if not patch.forced:
            self.modules[patch.name] = 0

    def _apply(self, patch: Patch, obj: Obj, failing: Mapping[str, int]) -> int:
        """Apply a patch to a target that comes; return the errno that keeps it out."""
        if obj.relocated and not self.release.clears_relocations:
            return errno.ENOEXEC  # arch/x86/kernel/module.c: "Skipping invalid relocation target"
        if self._lacks(obj):
            return errno.EINVAL
        obj.loaded, obj.relocated = True, obj.relocations
        number = self.callbacks.pre_patch(patch, obj, {obj.name: failing.get(patch.name, 0)})
        if number:
            obj.loaded = False
            return number
        if not self.ftrace_enabled:
            self.callbacks.post_unpatch(patch, obj)
            obj.loaded = False
            return errno.EBUSY
        self.stacks.patch_object(obj)
        if not self._moves(patch):
            self.callbacks.post_patch(patch, obj)
        return 0

    def _cleanup(self, name: str, limit: Patch | None = None) -> None:
        """Take patches off a target that goes (core.c klp_cleanup_module_patches_limited)."""
        for patch in self.patches:
            if patch is limit:
                break
            obj = patch.object(name)
            if obj is None:
                continue
            if not self._moves(patch):
                self.callbacks.pre_unpatch(patch, obj)
            self.stacks.unpatch_object(obj)
            self.callbacks.post_unpatch(patch, obj)
            obj.loaded = False

    def _lacks(self, obj: Obj) -> bool:
        """Tell whether a function is not to be found (core.c klp_find_object_symbol)."""
        return any(func.key in self.missing for func in obj.funcs)

    def _moves(self, patch: Patch) -> bool:
        return self.transition is not None and self.transition.patch is patch

    def _call(self, task: Task, key: Key) -> None:
        task.stack.append((*key, self.stacks.reached(key, task.state)))
        task.place = Place.ASLEEP
