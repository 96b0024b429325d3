"""The stack of replacements of each function, newest on top (kernel/livepatch/patch.c)."""

from __future__ import annotations

from lpharness.reference.patch import Func, Obj, Patch
from lpharness.reference.rules import PatchState
from lpharness.reference.spec import ORIGINAL

Key = tuple[str, str]


class Stacks:
    """`klp_ops` of all functions; one without a replacement has none, and no ftrace handler."""

    def __init__(self) -> None:
        self._stacks: dict[Key, list[Func]] = {}

    def handled(self) -> set[Key]:
        """Return the functions that ftrace sends to livepatch (IPMODIFY in enabled_functions)."""
        return set(self._stacks)

    def reached(self, key: Key, state: PatchState) -> str:
        """Return the version that a call reaches (patch.c klp_ftrace_handler).

        The newest, unless that one is in a transition and the caller has not switched: then the one
        below it. A nop leads to the original.
        """
        stack = self._stacks.get(key, [])
        if not stack:
            return ORIGINAL
        func = stack[-1]
        if func.transition and state is PatchState.UNPATCHED:
            if len(stack) == 1:
                return ORIGINAL
            func = stack[-2]
        return ORIGINAL if func.nop else func.version

    def previous(self, func: Func) -> str | None:
        """Return the version below one that is on the stack (transition.c klp_check_stack_func).

        ``None`` for the lowest of several: the kernel takes it that a new patch is on top, and here
        reads beyond the list, in memory that is no function. That comes about when a patch below
        others is disabled and that is reversed; nobody is in the original then.
        """
        stack = self._stacks[func.key]
        at = stack.index(func)
        if at == 0:
            return ORIGINAL if len(stack) == 1 else None
        return ORIGINAL if stack[at - 1].nop else stack[at - 1].version

    def patch_object(self, obj: Obj) -> None:
        """Put an object's functions on top (patch.c klp_patch_object)."""
        for func in obj.funcs:
            self._stacks.setdefault(func.key, []).append(func)
            func.patched = True
        obj.patched = True

    def unpatch_object(self, obj: Obj) -> None:
        """Take them off, wherever they are by now (patch.c klp_unpatch_object)."""
        self._unpatch([func for func in obj.funcs if func.patched])
        obj.patched = False

    def unpatch_objects(self, patch: Patch) -> None:
        """Take off a whole patch (patch.c klp_unpatch_objects)."""
        for obj in patch.objects:
            if obj.patched:
                self.unpatch_object(obj)

    def unpatch_nops(self, patch: Patch) -> None:
        """Take off its nops alone (patch.c klp_unpatch_objects_dynamic)."""
        for obj in patch.objects:
            if obj.patched:
                self._unpatch([func for func in obj.funcs if func.patched and func.nop])
                obj.patched = not obj.dynamic

    def _unpatch(self, funcs: list[Func]) -> None:
        for func in funcs:
            stack = self._stacks[func.key]
            stack.remove(func)
            if not stack:
                del self._stacks[func.key]
            func.patched = False
