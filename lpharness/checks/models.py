"""What is due under a consistency model, where that differs from the kernel's own."""

from __future__ import annotations

from lpharness.checks.contract import Recording

HYBRID = "hybrid"
"""The kernel's own model."""
_STAYING = frozenset({"immediate"})

KLP_HANDLER = "klp_ftrace_handler"
"""The ftrace callback of kernel/livepatch/patch.c."""
_MODELS_HANDLER = "lph_ftrace_handler"  # of models/core.c


def handler(recording: Recording) -> str:
    """Return the ftrace callback that redirects under the recording's model."""
    return KLP_HANDLER if recording.id.model == HYBRID else _MODELS_HANDLER


def module_stays(model: str) -> bool:
    """Tell whether a patch's module can never go: nobody knows when its code is left."""
    return model in _STAYING
