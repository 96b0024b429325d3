"""What is due under a consistency model, where that differs from the kernel's own."""

from __future__ import annotations

from lpharness.checks.contract import Recording

HYBRID = "hybrid"
"""The kernel's own model."""
_STAYING = frozenset({"immediate"})
_WITHOUT_ORDER = frozenset({"immediate"})
_INTERRUPTS_BY_CPU = frozenset({"kgraft"})

KLP_HANDLER = "klp_ftrace_handler"
"""The ftrace callback of kernel/livepatch/patch.c."""
_MODELS_HANDLER = "lph_ftrace_handler"  # of models/core.c


def handler(recording: Recording) -> str:
    """Return the ftrace callback that redirects under the recording's model."""
    return KLP_HANDLER if recording.id.model == HYBRID else _MODELS_HANDLER


def task_order_due(recording: Recording, function: str) -> bool:
    """Tell whether each task's calls of a function must go from outgoing to incoming just once.

    Immediate promises nothing of the kind. kGraft does, but in interrupts its choice is the CPU's,
    whichever task they come over; a call seen over a task is not told from one of the task's own.
    """
    model = recording.id.model
    return model not in _WITHOUT_ORDER and not (
        model in _INTERRUPTS_BY_CPU and function in _called_in_interrupts(recording)
    )


def _called_in_interrupts(recording: Recording) -> set[str]:
    modules = recording.case.modules
    return {f.old for module in modules for f in module.functions if f.interrupts}


def module_stays(model: str) -> bool:
    """Tell whether a patch's module can never go: nobody knows when its code is left."""
    return model in _STAYING
