"""Patches for the tests of the reference, and what must hold of it at any time."""

from __future__ import annotations

from lpharness.reference import ORIGINAL, Kernel, ObjectSpec, PatchSpec, PatchState, Release

OLD, NEW = Release(6, 1), Release(6, 12)
PAUSE, ANSWER = ("vmlinux", "pause"), ("target", "answer")


def patch(
    name: str,
    *,
    kernel: bool = True,
    target: bool = False,
    replace: bool = False,
    callbacks: bool = True,
    states: tuple[tuple[int, int], ...] = (),
) -> PatchSpec:
    """Return a patch of `PAUSE`, `ANSWER` or both."""
    objects = [ObjectSpec(functions=("pause",), callbacks=callbacks)] if kernel else []
    if target:
        objects.append(ObjectSpec(name="target", functions=("answer",), callbacks=callbacks))
    return PatchSpec(name=name, objects=tuple(objects), replace=replace, states=states)


def called(kernel: Kernel) -> list[str]:
    """Return the callbacks since the last time, in words."""
    return [f"{c.patch} {c.object} {c.callback}" for c in kernel.callbacks.take()]


def assert_sound(kernel: Kernel) -> None:
    """Assert what holds after each operation, whatever it was."""
    moving = kernel.transition.patch if kernel.transition else None
    for each in kernel.patches:
        assert each.enabled or each is moving, "who is disabled and has settled is gone"
        if kernel.transition and each is moving:
            assert each.enabled == (kernel.transition.target is PatchState.PATCHED)
        assert kernel.modules[each.name] == 1
        for obj in each.objects:
            assert obj.patched == obj.loaded
            assert all(func.patched == obj.patched for func in obj.funcs)
            assert all(func.transition == (each is moving) for func in obj.funcs)
    installed = {each.name for each in kernel.patches}
    assert all(count == (name in installed) for name, count in kernel.modules.items())
    for key in (PAUSE, ANSWER):
        assert kernel.reached(key) == _newest(kernel, key)
    for task in kernel.tasks:
        if kernel.transition is None:
            assert task.state is PatchState.IDLE
            assert not task.pending
            assert task.stack == [(*PAUSE, kernel.reached(PAUSE))], "a version that nobody calls"
        else:
            assert task.pending == (task.state is not kernel.transition.target)


def _newest(kernel: Kernel, key: tuple[str, str]) -> str:
    """Return the version that a fresh call must reach: the newest that stays, where it is on."""
    leaving = kernel.transition is not None and kernel.transition.target is PatchState.UNPATCHED
    for each in reversed(kernel.patches):
        if leaving and kernel.transition and kernel.transition.patch is each:
            continue
        for func in each.funcs():
            if func.key == key and func.patched:
                return ORIGINAL if func.nop else func.version
    return ORIGINAL
