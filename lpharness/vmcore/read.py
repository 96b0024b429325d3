"""What one wants to know first of a guest's memory: who died, which livepatches, who is in the way.

The structures are those of kernel/livepatch (``klp_patches``, ``klp_target_state``) and of the
scheduler; drgn knows their layout from the kernel's debug information.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct

_MOST_TASKS = 20
_MOST_FRAMES = 64
_UNINTERRUPTIBLE = "D"
_ANCHOR, _ANCHORS_FILE = "start_kernel", "init/main.c"


class Frame(Struct, frozen=True, kw_only=True):
    """One frame of a stack, innermost first."""

    function: str
    place: str = ""
    """``file:line``; empty where the debug information tells none."""
    inlined: bool = False


class Task(Struct, frozen=True, kw_only=True):
    """A task and its stack."""

    pid: int
    comm: str
    state: str
    """The letter that ``ps`` shows."""
    stack: tuple[Frame, ...]
    patch_state: int | None = None
    """1 patched, 0 unpatched, -1 no transition; ``None`` where the kernel has no such field."""


class Patch(Struct, frozen=True, kw_only=True):
    """A livepatch that is loaded."""

    module: str
    enabled: bool
    replaces: bool
    in_transition: bool
    functions: tuple[str, ...]
    """``object:old -> new``."""


class MemoryReport(Struct, frozen=True, kw_only=True):
    """What a guest's memory tells."""

    release: str
    crashed: Task | None
    """The task that the kernel panicked in; ``None`` if it did not panic."""
    patches: tuple[Patch, ...]
    target: int | None
    """What tasks are moving to: 1 patched, 0 unpatched; ``None`` without a transition."""
    waited_for: tuple[Task, ...]
    """Tasks that the transition waits for."""
    uninterruptible: tuple[Task, ...]
    """Tasks that sleep and cannot be woken by signals."""
    messages: tuple[str, ...]
    """The end of the kernel's log."""


def read_memory(program: Any, *, lines: int = 100) -> MemoryReport:
    """Read what there is to tell.

    Args:
        program: as `lpharness.vmcore.open_core` gave it.
        lines: so many messages of the kernel's log.
    """
    from drgn.helpers.linux.pid import for_each_task

    transition = program["klp_transition_patch"]
    target = int(program["klp_target_state"]) if transition else None
    tasks = list(for_each_task(program))
    return MemoryReport(
        release=program["UTS_RELEASE"].string_().decode(),
        crashed=_crashed(program),
        patches=tuple(_patches(program, transition)),
        target=target,
        waited_for=_some(
            program,
            tasks,
            lambda task: target is not None and _patch_state(task) not in (target, None),
        ),
        uninterruptible=_some(program, tasks, lambda task: _state(task) == _UNINTERRUPTIBLE),
        messages=tuple(_messages(program)[-lines:]),
    )


def _crashed(program: Any) -> Task | None:
    try:
        thread = program.crashed_thread()
    except (LookupError, ValueError):
        return None
    return _task(program, thread.object)


def _patches(program: Any, transition: Any) -> Iterator[Patch]:
    from drgn.helpers.linux.list import list_for_each_entry

    for patch in list_for_each_entry(
        "struct klp_patch", program["klp_patches"].address_of_(), "list"
    ):
        functions = [
            f"{_object(entry)}:{function.old_name.string_().decode()} -> "
            f"{_symbol(program, function.new_func)}"
            for entry in list_for_each_entry(
                "struct klp_object", patch.obj_list.address_of_(), "node"
            )
            for function in list_for_each_entry(
                "struct klp_func", entry.func_list.address_of_(), "node"
            )
        ]
        yield Patch(
            module=patch.mod.name.string_().decode(),
            enabled=bool(patch.enabled),
            replaces=bool(patch.replace),
            in_transition=patch == transition,
            functions=tuple(functions),
        )


def _object(entry: Any) -> str:
    return entry.name.string_().decode() if entry.name else "vmlinux"


def _symbol(program: Any, address: Any) -> str:
    if not address:
        return "(nothing)"
    try:
        return str(program.symbol(address).name)
    except LookupError:
        return hex(address.value_())


def _some(program: Any, tasks: list[Any], wanted: Callable[[Any], bool]) -> tuple[Task, ...]:
    return tuple(_task(program, task) for task in tasks if wanted(task))[:_MOST_TASKS]


def _task(program: Any, task: Any) -> Task:
    return Task(
        pid=int(task.pid),
        comm=task.comm.string_().decode(errors="replace"),
        state=_state(task),
        stack=tuple(_stack(program, task)),
        patch_state=_patch_state(task),
    )


def _state(task: Any) -> str:
    from drgn.helpers.linux.sched import task_state_to_char

    return str(task_state_to_char(task))


def _patch_state(task: Any) -> int | None:
    try:
        return int(task.patch_state)
    except AttributeError:
        return None


def _stack(program: Any, task: Any) -> Iterator[Frame]:
    try:
        trace = program.stack_trace(task)
    except (LookupError, ValueError, MemoryError):
        return  # it runs, and the dump does not tell where
    root = _root(program)
    for index, frame in enumerate(trace):
        if index >= _MOST_FRAMES:
            return
        yield Frame(
            function=frame.name or f"{frame.pc:#x}",
            place=_place(frame, root),
            inlined=frame.is_inline,
        )


def _place(frame: Any, root: str) -> str:
    try:
        source = frame.source()
    except LookupError:
        return ""
    return f"{posixpath.normpath(source.filename).removeprefix(root)}:{source.line}"


def _root(program: Any) -> str:
    """Return where the kernel's tree was when it was built; empty if its files are named by it."""
    try:
        outermost = program.source_location(_ANCHOR)[-1]
    except LookupError:
        return ""
    return posixpath.normpath(str(outermost.filename)).removesuffix(_ANCHORS_FILE)


def _messages(program: Any) -> list[str]:
    from drgn.helpers.linux.printk import get_dmesg

    return [line.decode(errors="replace") for line in get_dmesg(program).splitlines()]
